"""The simulator's HTTP interface: a payment provider's, and one to break it on demand."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, TypeVar
from uuid import UUID

import msgspec
from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from services.payment_simulator.faults import Fault, FaultKind, FaultPlan, RequestKind
from services.payment_simulator.ledger import Act, Authorise, KeyReused, Ledger, Request
from services.payment_simulator.messages import (
    AmountBody,
    AuthoriseBody,
    Kind,
    LedgerPage,
    ObjectPage,
    Operation,
    Problem,
    Status,
)
from services.payment_simulator.mishaps import Refused, after, before
from services.payment_simulator.settings import SimulatorSettings
from services.payment_simulator.tokens import decline_code
from services.payment_simulator.webhooks import Webhooks

S = TypeVar("S")

_BODY_BYTES_MAX: Final = 64 * 1_024
_PAGE_ITEMS_MAX: Final = 1_000
_SHUTDOWN_MAX_S: Final = 1.0
_KEEPALIVE_S: Final = 75.0
_ASKS_FOR_PATIENCE: Final = frozenset(
    {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
)
_STATUSES: Final = {
    Status.SUCCEEDED: HTTPStatus.CREATED,
    Status.DECLINED: HTTPStatus.PAYMENT_REQUIRED,
    Status.ACCEPTED: HTTPStatus.ACCEPTED,
}
_REQUESTS: Final[dict[Kind, RequestKind]] = {
    Kind.CAPTURE: "capture",
    Kind.RELEASE: "release",
    Kind.REFUND: "refund",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_encode: Final = msgspec.json.Encoder().encode


class Provider:
    """The handlers."""

    def __init__(self, ledger: Ledger, faults: FaultPlan, webhooks: Webhooks) -> None:
        self._ledger = ledger
        self._faults = faults
        self._webhooks = webhooks

    async def authorise(self, request: web.Request) -> web.StreamResponse:
        key = _key(request.headers.get("Idempotency-Key"))
        body = _decode(await request.read(), AuthoriseBody)
        fault = self._faults.take("authorise", body.token)
        code = _declined_by(fault) or decline_code(body.token)
        told = self._faults.take_of_webhook("authorise", body.token)
        operation = Authorise(key=key, body=body, decline_code=code)
        return await self._execute(request, operation, fault, told)

    async def capture(self, request: web.Request) -> web.StreamResponse:
        return await self._act(request, Kind.CAPTURE)

    async def release(self, request: web.Request) -> web.StreamResponse:
        return await self._act(request, Kind.RELEASE)

    async def refund(self, request: web.Request) -> web.StreamResponse:
        return await self._act(request, Kind.REFUND)

    async def lookup(self, request: web.Request) -> web.StreamResponse:
        key = _key(request.match_info["key"])
        fault = self._faults.take("lookup")
        await before(fault)
        found = await self._ledger.find(key)
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, "key_unknown", "this key was never used")
        return await after(request, fault, _json(HTTPStatus.OK, self._said(found)))

    async def ledger(self, request: web.Request) -> web.Response:
        position, limit = _page(request)
        items = await self._ledger.page(position, limit)
        full = len(items) == limit and limit > 0
        page = LedgerPage(items=items, next_cursor=str(items[-1].sequence) if full else None)
        return _json(HTTPStatus.OK, page)

    async def objects(self, request: web.Request) -> web.StreamResponse:
        position, limit = _page(request)
        since = _moment(request.query.get("created_from"))
        fault = self._faults.take("objects")
        await before(fault)
        items = await self._ledger.objects(position, since, limit)
        full = len(items) == limit and limit > 0
        page = ObjectPage(items=items, next_cursor=str(items[-1].sequence) if full else None)
        return await after(request, fault, _json(HTTPStatus.OK, page))

    async def set_faults(self, request: web.Request) -> web.Response:
        self._faults.replace(_decode(await request.read(), list[Fault]))
        return await self.show_faults(request)

    async def show_faults(self, _request: web.Request) -> web.Response:
        return _json(HTTPStatus.OK, self._faults.active())

    async def send_webhook(self, request: web.Request) -> web.Response:
        found = await self._ledger.find(_key(request.match_info["key"]))
        if found is None:
            raise Refused(HTTPStatus.NOT_FOUND, "key_unknown", "this key was never used")
        self._webhooks.tell(found, [Fault(kind=FaultKind.WEBHOOK)])
        return _json(HTTPStatus.ACCEPTED, found)

    async def _act(self, request: web.Request, kind: Kind) -> web.StreamResponse:
        body = _decode(await request.read(), AmountBody)
        fault = self._faults.take(_REQUESTS[kind])
        act = Act(
            kind=kind,
            key=_key(request.headers.get("Idempotency-Key")),
            authorisation_id=request.match_info["id"],
            amount=body.amount,
            decline_code=_declined_by(fault),
        )
        told = self._faults.take_of_webhook(_REQUESTS[kind])
        return await self._execute(request, act, fault, told)

    async def _execute(
        self, request: web.Request, operation: Request, fault: Fault | None, told: list[Fault]
    ) -> web.StreamResponse:
        await before(fault)
        try:
            done = await self._ledger.execute(operation)
        except KeyReused as error:
            raise Refused(
                HTTPStatus.CONFLICT, "key_reused", "this key belongs to another request"
            ) from error
        if fault is not None and fault.kind is FaultKind.ACCEPTED:
            self._webhooks.tell_later(done, fault.delay_ms)
        else:
            self._webhooks.tell(done, told)
        said = self._said(done)
        return await after(request, fault, _json(_STATUSES[said.status], said))

    def _said(self, done: Operation) -> Operation:
        if not self._webhooks.keeps_secret(done.key):
            return done
        return replace(
            done, status=Status.ACCEPTED, reference=None, capture_before=None, decline_code=None
        )


def _declined_by(fault: Fault | None) -> str | None:
    return fault.decline_code if fault is not None and fault.kind is FaultKind.DECLINE else None


@web.middleware
async def _problems(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        headers = {"Retry-After": "1"} if refused.status in _ASKS_FOR_PATIENCE else None
        problem = Problem(code=refused.code, detail=refused.detail)
        return _json(refused.status, problem, headers)


def application(ledger: Ledger, faults: FaultPlan, webhooks: Webhooks) -> web.Application:
    """Return the provider's HTTP application."""
    provider = Provider(ledger, faults, webhooks)
    made = web.Application(middlewares=[_problems], client_max_size=_BODY_BYTES_MAX)
    made.add_routes(
        [
            web.post("/v1/authorisations", provider.authorise),
            web.post("/v1/authorisations/{id}/captures", provider.capture),
            web.post("/v1/authorisations/{id}/release", provider.release),
            web.post("/v1/authorisations/{id}/refunds", provider.refund),
            web.get("/v1/operations/{key}", provider.lookup),
            web.post("/v1/operations/{key}/webhook", provider.send_webhook),
            web.get("/v1/objects", provider.objects),
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
        raise Refused(
            HTTPStatus.BAD_REQUEST, "key_malformed", "Idempotency-Key must be a UUID"
        ) from error


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise Refused(HTTPStatus.BAD_REQUEST, "query_malformed", "a number is expected")
    return int(text)


def _page(request: web.Request) -> tuple[int, int]:
    position = _number(request.query.get("cursor") or "0")
    return position, min(_number(request.query.get("limit", "100")), _PAGE_ITEMS_MAX)


def _moment(text: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(text or "1970-01-01T00:00:00+00:00")
    except ValueError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "query_malformed", "a time is expected") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _decode(body: bytes, type_: type[S]) -> S:
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.DecodeError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, "body_malformed", str(error)) from error


def _json(
    status: HTTPStatus, body: Struct | Sequence[Struct], headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status, body=_encode(body), content_type="application/json", headers=headers
    )
