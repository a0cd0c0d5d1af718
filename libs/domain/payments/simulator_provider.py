"""The payment simulator as a provider: HTTP on kept-alive connections, every answer judged."""

from datetime import datetime
from typing import Final, Literal
from urllib.parse import quote, urlencode
from uuid import UUID

import aiohttp
import msgspec
from msgspec import Struct

from libs.contracts.money import EXPONENTS, Money
from libs.domain.payments.provider import (
    AMOUNT_UNSUPPORTED,
    DECLINE_CODES,
    Accepted,
    Authorisation,
    Capture,
    Declined,
    NotExecuted,
    Notice,
    ObjectPage,
    Outcome,
    ProviderObject,
    Refund,
    Release,
    Succeeded,
    Unknown,
)
from libs.domain.payments.provider_amounts import expressible
from libs.domain.payments.provider_names import SIMULATOR
from libs.domain.payments.settings import SimulatorProviderSettings
from libs.foundation.resilience.deadline import Deadline, DeadlineExceeded

_BODY_BYTES_MAX: Final = 256 * 1_024
_PAGE_ITEMS: Final = 300
# Refused before anything was done: too many requests, or credentials of ours that are wrong.
_NOT_EXECUTED: Final = frozenset({401, 403, 425, 429})
# Only with these does the provider itself speak of the operation; a proxy has its own 4xx.
_JUDGED: Final = frozenset({200, 201, 202, 402, 422})
_OK: Final = 200
_NOT_FOUND: Final = 404


class _AuthorisationBody(Struct, frozen=True, kw_only=True):
    order_reference: str
    amount: Money
    token: str
    external_reference: str | None


class _AmountBody(Struct, frozen=True, kw_only=True):
    amount: Money


class _Answer(Struct, frozen=True, kw_only=True):
    key: UUID
    kind: Literal["authorise", "capture", "release", "refund"]
    status: Literal["succeeded", "declined", "accepted"]
    amount: Money
    authorisation_id: str | None = None
    reference: str | None = None
    capture_before: datetime | None = None
    decline_code: str | None = None


class _Item(Struct, frozen=True, kw_only=True):
    id: str
    kind: Literal["authorise", "capture", "refund"]
    key: UUID
    order_reference: str | None
    amount: int
    currency: str
    status: Literal["succeeded", "declined"]
    captured: int
    released: int
    refunded: int


class _Page(Struct, frozen=True, kw_only=True):
    items: tuple[_Item, ...]
    next_cursor: str | None


class _Webhook(Struct, frozen=True, kw_only=True):
    data: _Answer


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Answer).decode
_decode_page: Final = msgspec.json.Decoder(_Page).decode
_decode_webhook: Final = msgspec.json.Decoder(_Webhook).decode


class SimulatorProvider:
    """Calls the payment simulator; the session is the caller's to open and close."""

    name = SIMULATOR

    def __init__(self, session: aiohttp.ClientSession, settings: SimulatorProviderSettings) -> None:
        self._session = session
        self._url = settings.url.rstrip("/")
        self._connect_timeout_s = settings.connect_timeout_ms / 1_000

    async def authorise(self, request: Authorisation, deadline: Deadline) -> Outcome:
        body = _AuthorisationBody(
            order_reference=str(request.order_id),
            amount=request.amount,
            token=request.token,
            external_reference=request.external_reference,
        )
        return await self._post("/v1/authorisations", request.key, request.amount, body, deadline)

    async def capture(self, request: Capture, deadline: Deadline) -> Outcome:
        return await self._act("captures", request, deadline)

    async def release(self, request: Release, deadline: Deadline) -> Outcome:
        return await self._act("release", request, deadline)

    async def refund(self, request: Refund, deadline: Deadline) -> Outcome:
        return await self._act("refunds", request, deadline)

    async def lookup(self, key: UUID, deadline: Deadline) -> Outcome | None:
        answered = await self._request("GET", f"/v1/operations/{key}", {}, None, deadline)
        if isinstance(answered, NotExecuted | Unknown):
            return answered
        status, _, body = answered
        if status == _NOT_FOUND:
            return None
        return _judge(status, body, key, None) if status == _OK else _unknown(status)

    async def objects(
        self, since: datetime, cursor: str | None, deadline: Deadline
    ) -> ObjectPage | NotExecuted | Unknown:
        query = {"created_from": since.isoformat(), "limit": str(_PAGE_ITEMS)}
        if cursor is not None:
            query["cursor"] = cursor
        path = f"/v1/objects?{urlencode(query)}"
        answered = await self._request("GET", path, {}, None, deadline)
        if isinstance(answered, NotExecuted | Unknown):
            return answered
        status, _, body = answered
        if status != _OK:
            return _unknown(status)
        try:
            page = _decode_page(body)
        except msgspec.DecodeError:
            return _unknown(status)
        return ObjectPage(
            objects=tuple(_object(item) for item in page.items), next_cursor=page.next_cursor
        )

    def notice(self, body: bytes) -> Notice | None:
        try:
            answer = _decode_webhook(body).data
        except msgspec.DecodeError:
            return None
        outcome = _outcome(answer)
        if not isinstance(outcome, Succeeded | Declined):
            return None
        return Notice(key=answer.key, outcome=outcome)

    async def _act(
        self, verb: str, request: Capture | Release | Refund, deadline: Deadline
    ) -> Outcome:
        path = f"/v1/authorisations/{quote(request.reference, safe='')}/{verb}"
        body = _AmountBody(amount=request.amount)
        return await self._post(path, request.key, request.amount, body, deadline)

    async def _post(
        self, path: str, key: UUID, amount: Money, body: Struct, deadline: Deadline
    ) -> Outcome:
        if not expressible(amount, EXPONENTS):
            return Declined(code=AMOUNT_UNSUPPORTED)
        headers = {"Idempotency-Key": str(key), "Content-Type": "application/json"}
        answered = await self._request("POST", path, headers, _encode(body), deadline)
        if isinstance(answered, NotExecuted | Unknown):
            return answered
        status, retry_after, text = answered
        if status in _NOT_EXECUTED:
            return NotExecuted(reason=f"status_{status}", retry_after_ms=_milliseconds(retry_after))
        return _judge(status, text, key, amount) if status in _JUDGED else _unknown(status)

    async def _request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes | None,
        deadline: Deadline,
    ) -> tuple[int, str | None, bytes] | NotExecuted | Unknown:
        try:
            left_s = deadline.remaining_s()
        except DeadlineExceeded:
            return NotExecuted(reason="deadline_before_call", attempted=False)
        timeout = aiohttp.ClientTimeout(total=left_s, connect=self._connect_timeout_s)
        try:
            async with self._session.request(
                method,
                self._url + path,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                return (
                    response.status,
                    response.headers.get("Retry-After"),
                    await _bounded(response),
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return NotExecuted(reason=type(error).__name__)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Unknown(reason=type(error).__name__)


def _judge(status: int, text: bytes, key: UUID, amount: Money | None) -> Outcome:
    """Tell what an answer proves; one that cannot be read, or is about something else, nothing."""
    try:
        answer = _decode(text)
    except msgspec.DecodeError:
        return _unknown(status)
    if answer.key != key or (amount is not None and answer.amount != amount):
        return Unknown(reason="answer_about_something_else")
    return _outcome(answer)


def _outcome(answer: _Answer) -> Outcome:
    match answer:
        case _Answer(status="succeeded", kind="capture" | "refund", reference=str() as made):
            return Succeeded(reference=made)
        case _Answer(
            status="succeeded", kind="authorise" | "release", authorisation_id=str() as reference
        ):
            return Succeeded(reference=reference, capture_before=answer.capture_before)
        case _Answer(status="declined", kind="authorise", decline_code=code):
            return Declined(code=code if code in DECLINE_CODES and code else "other")
        case _Answer(status="declined", decline_code=code):
            return Declined(code=code or "other")
        case _Answer(status="accepted"):
            return Accepted()
        case _:
            return Unknown(reason="answer_without_reference")


def _object(item: _Item) -> ProviderObject:
    whole = item.kind == "authorise"
    return ProviderObject(
        kind=item.kind,
        reference=item.id,
        key=item.key,
        order_reference=item.order_reference or "",
        amount=Money(amount=item.amount, currency=item.currency),
        succeeded=item.status == "succeeded",
        captured_minor=item.captured if whole else None,
        released_minor=item.released if whole else None,
        refunded_minor=item.refunded if whole else None,
    )


def _unknown(status: int) -> Unknown:
    return Unknown(reason=f"status_{status}")


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """Read at most the largest answer there is; a longer one is cut and so cannot be read."""
    text = bytearray()
    async for chunk in response.content.iter_any():
        text += chunk
        if len(text) > _BODY_BYTES_MAX:
            break
    return bytes(text[:_BODY_BYTES_MAX])


def _milliseconds(retry_after: str | None) -> int | None:
    """Read a Retry-After in seconds; its other form, a date, is left to the backoff."""
    if retry_after is None or not retry_after.isascii() or not retry_after.isdigit():
        return None
    return int(retry_after[:9]) * 1_000
