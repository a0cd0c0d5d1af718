"""The simulator's HTTP interface: a payment provider's, and one to break it on demand."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final, TypeVar
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Struct

from services.payment_simulator.faults import Fault, FaultKind, FaultPlan
from services.payment_simulator.ledger import Authorise, KeyReused, Ledger, Release, Request
from services.payment_simulator.messages import (
    AuthoriseBody,
    LedgerPage,
    Operation,
    Problem,
    ReleaseBody,
    Status,
)
from services.payment_simulator.settings import SimulatorSettings
from services.payment_simulator.tokens import decline_code

S = TypeVar("S")

_BODY_BYTES_MAX: Final = 64 * 1_024
_PAGE_ITEMS_MAX: Final = 1_000
_SHUTDOWN_MAX_S: Final = 1.0
_KEEPALIVE_S: Final = 75.0
_ASKS_FOR_PATIENCE: Final = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_encode: Final = msgspec.json.Encoder().encode


class _Refused(Exception):
    """The request is refused before it became an operation."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


class Provider:
    """The handlers."""

    def __init__(self, ledger: Ledger, faults: FaultPlan) -> None:
        self._ledger = ledger
        self._faults = faults

    async def authorise(self, request: web.Request) -> web.StreamResponse:
        key = _key(request.headers.get("Idempotency-Key"))
        body = _decode(await request.read(), AuthoriseBody)
        fault = self._faults.take("authorise", body.token)
        code = decline_code(body.token)
        if fault is not None and fault.kind is FaultKind.DECLINE:
            code = fault.decline_code
        return await self._execute(request, Authorise(key=key, body=body, decline_code=code), fault)

    async def release(self, request: web.Request) -> web.StreamResponse:
        key = _key(request.headers.get("Idempotency-Key"))
        body = _decode(await request.read(), ReleaseBody)
        release = Release(key=key, authorisation_id=request.match_info["id"], amount=body.amount)
        return await self._execute(request, release, self._faults.take("release"))

    async def lookup(self, request: web.Request) -> web.StreamResponse:
        key = _key(request.match_info["key"])
        fault = self._faults.take("lookup")
        await _before(fault)
        found = await self._ledger.find(key)
        if found is None:
            raise _Refused(HTTPStatus.NOT_FOUND, "key_unknown", "this key was never used")
        return await _after(request, fault, _json(HTTPStatus.OK, found))

    async def ledger(self, request: web.Request) -> web.Response:
        after = _number(request.query.get("cursor") or "0")
        limit = min(_number(request.query.get("limit", "100")), _PAGE_ITEMS_MAX)
        items = await self._ledger.page(after, limit)
        full = len(items) == limit and limit > 0
        page = LedgerPage(items=items, next_cursor=str(items[-1].sequence) if full else None)
        return _json(HTTPStatus.OK, page)

    async def set_faults(self, request: web.Request) -> web.Response:
        self._faults.replace(_decode(await request.read(), list[Fault]))
        return await self.show_faults(request)

    async def show_faults(self, _request: web.Request) -> web.Response:
        return _json(HTTPStatus.OK, self._faults.active())

    async def _execute(
        self, request: web.Request, operation: Request, fault: Fault | None
    ) -> web.StreamResponse:
        await _before(fault)
        try:
            done = await self._ledger.execute(operation)
        except KeyReused as error:
            raise _Refused(
                HTTPStatus.CONFLICT, "key_reused", "this key belongs to another request"
            ) from error
        return await _after(request, fault, _json(_status(done), done))


async def _before(fault: Fault | None) -> None:
    """Do what goes wrong before the operation has any effect."""
    match fault:
        case Fault(kind=FaultKind.SLOW, delay_ms=delay_ms):
            await asyncio.sleep(delay_ms / 1_000)
        case Fault(kind=FaultKind.RATE_LIMIT):
            raise _Refused(HTTPStatus.TOO_MANY_REQUESTS, "rate_limited", "slow down")
        case Fault(kind=FaultKind.DOWN):
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "down", "the provider is down")
        case _:
            return


async def _after(
    request: web.Request, fault: Fault | None, answer: web.Response
) -> web.StreamResponse:
    """Do what goes wrong after the operation took its effect."""
    match fault:
        case Fault(kind=FaultKind.HANG_AFTER, delay_ms=delay_ms):
            await asyncio.sleep(delay_ms / 1_000)
        case Fault(kind=FaultKind.ERROR_AFTER):
            raise _Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "it failed afterwards")
        case Fault(kind=FaultKind.RESET_AFTER) if request.transport is not None:
            request.transport.abort()
        case Fault(kind=FaultKind.GARBLED_AFTER):
            return web.Response(status=answer.status, body=b'{"status": "succ')
        case _:
            pass
    return answer


@web.middleware
async def _problems(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except _Refused as refused:
        headers = {"Retry-After": "1"} if refused.status in _ASKS_FOR_PATIENCE else None
        problem = Problem(code=refused.code, detail=refused.detail)
        return _json(refused.status, problem, headers)


def application(ledger: Ledger, faults: FaultPlan) -> web.Application:
    """Return the provider's HTTP application."""
    provider = Provider(ledger, faults)
    made = web.Application(middlewares=[_problems], client_max_size=_BODY_BYTES_MAX)
    made.add_routes(
        [
            web.post("/v1/authorisations", provider.authorise),
            web.post("/v1/authorisations/{id}/release", provider.release),
            web.get("/v1/operations/{key}", provider.lookup),
            web.get("/v1/ledger", provider.ledger),
            web.post("/v1/faults", provider.set_faults),
            web.get("/v1/faults", provider.show_faults),
        ]
    )
    return made


@asynccontextmanager
async def serving(made: web.Application, settings: SimulatorSettings) -> AsyncGenerator[str]:
    """Serve the application and yield its URL."""
    runner = web.AppRunner(
        made,
        access_log=None,
        handle_signals=False,
        keepalive_timeout=_KEEPALIVE_S,
        shutdown_timeout=_SHUTDOWN_MAX_S,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port, backlog=1_024).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _key(text: str | None) -> UUID:
    try:
        return UUID(text or "")
    except ValueError as error:
        raise _Refused(
            HTTPStatus.BAD_REQUEST, "key_malformed", "Idempotency-Key must be a UUID"
        ) from error


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise _Refused(HTTPStatus.BAD_REQUEST, "query_malformed", "a number is expected")
    return int(text)


def _decode(body: bytes, type_: type[S]) -> S:
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.DecodeError as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, "body_malformed", str(error)) from error


def _status(operation: Operation) -> HTTPStatus:
    is_declined = operation.status is Status.DECLINED
    return HTTPStatus.PAYMENT_REQUIRED if is_declined else HTTPStatus.CREATED


def _json(
    status: HTTPStatus, body: Struct | Sequence[Struct], headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status, body=_encode(body), content_type="application/json", headers=headers
    )
