"""/v1/orders/{id}/refunds: money given back for what was shipped, and what becomes of it."""

from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from libs.contracts.money import AMOUNT_MAX, Money
from libs.domain.orders.callers import actor_of, require_staff
from libs.domain.orders.order import Order
from libs.domain.orders.order_request import Currency
from libs.domain.orders.part_views import RefundView, refund_view
from libs.domain.orders.refund import Refund, RefundReason
from libs.domain.orders.refunding import RefundWish
from libs.domain.orders.use_cases.read_orders import READ, read_order, shown_part
from libs.domain.orders.use_cases.request_refund import request_refund
from libs.domain.orders.use_cases.resolve_refund import retry_refund, settle_refund_manually
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.web.conditions import etag
from libs.foundation.web.endpoint import Call, Endpoint
from libs.foundation.web.idempotency import once
from libs.foundation.web.reply import Reply, reply
from libs.foundation.web.text import Text500, normalise

REFUND: Final = "orders:refund"
_PATH: Final = "/v1/orders/{order_id:uuid}/refunds"


class SignedMoneyIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Above zero goodwill, below zero a fee."""

    amount: Annotated[int, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
    currency: Currency


class RefundIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `adjustment` everything that is left; with it that amount alone."""

    reason: RefundReason
    adjustment: SignedMoneyIn | None = None
    restock: bool = False
    note: Text500 | None = None

    def __post_init__(self) -> None:
        if self.adjustment is not None and self.adjustment.amount <= 0:
            raise ValueError("an adjustment alone must be above zero")
        if self.adjustment is not None and self.restock:
            raise ValueError("an adjustment alone has no lines to restock")
        normalise(self, "note")

    def wish(self) -> RefundWish:
        adjustment = None
        if self.adjustment is not None:
            given = self.adjustment
            adjustment = Money(amount=given.amount, currency=given.currency)
        return RefundWish(reason=self.reason, adjustment=adjustment, restock=self.restock)


class RetryIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks the provider again."""


class ManualSettlementIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Says how it was paid back elsewhere."""

    note: Text500

    def __post_init__(self) -> None:
        normalise(self, "note")


_REFUND: Final = msgspec.json.Decoder(RefundIn)
_RETRY: Final = msgspec.json.Decoder(RetryIn)
_SETTLEMENT: Final = msgspec.json.Decoder(ManualSettlementIn)


class RefundRoutes:
    """Staff and machines refund; what the provider refused is decided by staff alone."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="POST",
                path=_PATH,
                handle=self.request,
                scopes=(REFUND,),
                summary="Refund what is left of a shipped order, or an amount alone",
                body=RefundIn,
                answers={201: RefundView},
                request_headers=("Idempotency-Key", "If-Match"),
                refusals=(
                    "illegal-transition",
                    "refund-exceeds-refundable",
                    "quantity-unavailable",
                    "currency-mismatch",
                    "order-limit-exceeded",
                ),
            ),
            Endpoint(
                method="GET",
                path=f"{_PATH}/{{refund_id:uuid}}",
                handle=self.get,
                scopes=(READ,),
                summary="Read a refund",
                answers={200: RefundView},
            ),
            *self._decisions(),
        )

    def _decisions(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="POST",
                path=f"{_PATH}/{{refund_id:uuid}}/retry",
                handle=self.retry,
                scopes=(REFUND,),
                summary="Ask the provider again for a refund that failed (staff)",
                body=RetryIn,
                answers={200: RefundView},
                request_headers=("Idempotency-Key", "If-Match"),
                refusals=("illegal-transition",),
            ),
            Endpoint(
                method="POST",
                path=f"{_PATH}/{{refund_id:uuid}}/manual-settlement",
                handle=self.settle,
                scopes=(REFUND,),
                summary="Record that a refund that failed was paid back elsewhere (staff)",
                body=ManualSettlementIn,
                answers={200: RefundView},
                request_headers=("Idempotency-Key", "If-Match"),
                refusals=("illegal-transition",),
            ),
        )

    async def request(self, call: Call) -> Reply:
        wanted = await call.content(_REFUND)
        claim = call.claim(wanted)
        async with transaction(self._pool) as tx:
            return await once(tx, claim, lambda: _requested(tx, call, wanted))

    async def get(self, call: Call) -> Reply:
        order_id = call.path("order_id", UUID)
        async with transaction(self._pool) as tx:
            order = await read_order(tx, order_id, call.principal)
        found = shown_part(order, order.refunds, call.path("refund_id", UUID), "refund")
        return reply(200, found, ETag=etag(order.version))

    async def retry(self, call: Call) -> Reply:
        require_staff(call.principal)
        claim = call.claim(await call.content(_RETRY))
        async with transaction(self._pool) as tx:
            return await once(tx, claim, lambda: _retried(tx, call))

    async def settle(self, call: Call) -> Reply:
        require_staff(call.principal)
        wanted = await call.content(_SETTLEMENT)
        claim = call.claim(wanted)
        async with transaction(self._pool) as tx:
            return await once(tx, claim, lambda: _settled(tx, call, wanted.note))


async def _requested(tx: Transaction, call: Call, wanted: RefundIn) -> Reply:
    order, refund = await request_refund(
        tx,
        call.path("order_id", UUID),
        call.expected_version(),
        wanted.wish(),
        wanted.note,
        actor_of(call.principal),
    )
    location = f"/v1/orders/{order.id}/refunds/{refund.id}"
    return _reply(201, order, refund, Location=location)


async def _retried(tx: Transaction, call: Call) -> Reply:
    order, refund = await retry_refund(
        tx,
        call.path("order_id", UUID),
        call.path("refund_id", UUID),
        call.expected_version(),
        actor_of(call.principal),
    )
    return _reply(200, order, refund)


async def _settled(tx: Transaction, call: Call, note: str) -> Reply:
    order, refund = await settle_refund_manually(
        tx,
        call.path("order_id", UUID),
        call.path("refund_id", UUID),
        call.expected_version(),
        note,
        actor_of(call.principal),
    )
    return _reply(200, order, refund)


def _reply(status: int, order: Order, refund: Refund, **headers: str) -> Reply:
    return reply(status, refund_view(refund, order.currency), ETag=etag(order.version), **headers)
