"""What goes wrong before or after an operation took its effect."""

import asyncio
from http import HTTPStatus

from aiohttp import web

from services.payment_simulator.faults import Fault, FaultKind


class Refused(Exception):
    """The request is refused before it became an operation."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


async def before(fault: Fault | None) -> None:
    """Do what goes wrong before the operation has any effect."""
    match fault:
        case Fault(kind=FaultKind.SLOW, delay_ms=delay_ms):
            await asyncio.sleep(delay_ms / 1_000)
        case Fault(kind=FaultKind.RATE_LIMIT):
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", "slow down")
        case Fault(kind=FaultKind.DOWN):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "down", "the provider is down")
        case _:
            return


async def after(
    request: web.Request, fault: Fault | None, answer: web.Response
) -> web.StreamResponse:
    """Do what goes wrong after the operation took its effect."""
    match fault:
        case Fault(kind=FaultKind.HANG_AFTER, delay_ms=delay_ms):
            await asyncio.sleep(delay_ms / 1_000)
        case Fault(kind=FaultKind.ERROR_AFTER):
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "it failed afterwards")
        case Fault(kind=FaultKind.RESET_AFTER) if request.transport is not None:
            request.transport.abort()
        case Fault(kind=FaultKind.GARBLED_AFTER):
            return web.Response(status=answer.status, body=b'{"status": "succ')
        case _:
            pass
    return answer
