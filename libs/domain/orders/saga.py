"""The saga of an order: where it stands, what is asked of whom, and how it is undone."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.inventory import ReleaseStock, ReserveStock, StockItem
from libs.contracts.messages import Command
from libs.contracts.payments import (
    AuthorisePayment,
    PaymentAuthorised,
    PaymentSource,
    ReducePayment,
)
from libs.domain.orders.order import Line, Order
from libs.domain.orders.refund import Refund
from libs.domain.orders.shipment import Shipment
from libs.domain.orders.timeline import Entry
from libs.foundation.ids import new_id

RESERVE_LATE_AFTER: Final = timedelta(minutes=15)
# Payments answers timed_out only for an operation it provably did not execute before this ends.
AUTHORISE_GIVEN_UP_AFTER: Final = timedelta(minutes=15)
# Longer than the above: else an outage would flag every order just before its answer arrives.
AUTHORISE_LATE_AFTER: Final = timedelta(minutes=20)
COMPENSATION_LATE_AFTER: Final = timedelta(hours=1)


class Step(StrEnum):
    RESERVE = "reserve"
    AUTHORISE = "authorise"
    CONFIRMED = "confirmed"
    SHIPPED = "shipped"
    COMPENSATE = "compensate"
    DONE = "done"


_ASKING: Final = frozenset({Step.RESERVE, Step.AUTHORISE, Step.COMPENSATE})


class Saga(Struct, frozen=True, kw_only=True):
    """A row of orders.sagas; `deadline_at` makes a late step visible and decides nothing.

    `payment_source` is kept only until it is sent. An id of a compensation that was never needed
    is None. `shipped_at`, the last release, is there while the order waits to be completed.
    """

    order_id: UUID
    step: Step
    deadline_at: datetime | None = None
    payment_source: PaymentSource | None = None
    reserve_sent: bool = False
    authorise_sent: bool = False
    release_id: UUID | None = None
    release_done: bool = False
    reduction_id: UUID | None = None
    reduction_done: bool = False
    shipped_at: datetime | None = None

    @property
    def waiting(self) -> bool:
        """Whether somebody still owes an answer to the current step."""
        return self.step in _ASKING

    @property
    def compensated(self) -> bool:
        released = self.release_id is None or self.release_done
        reduced = self.reduction_id is None or self.reduction_done
        return released and reduced


class Situation(Struct, frozen=True, kw_only=True):
    """All that a decision reads, under the lock of the order."""

    order: Order
    saga: Saga
    lines: tuple[Line, ...]
    shipments: tuple[Shipment, ...] = ()
    refunds: tuple[Refund, ...] = ()

    @property
    def due_minor(self) -> int:
        """What released shipments came to."""
        return sum(each.amount_minor for each in self.shipments if each.released)

    @property
    def refundable_minor(self) -> int:
        """What may still be asked back; a failed refund keeps its part until it is settled."""
        return self.due_minor - sum(each.amount_minor for each in self.refunds)

    @property
    def given_back_minor(self) -> int:
        return sum(each.amount_minor for each in self.refunds if each.given_back)

    @property
    def awaits_capture(self) -> bool:
        return any(each.awaits_capture for each in self.shipments)


class Decision(Struct, frozen=True, kw_only=True):
    """All that a decision changes; one entry per version, in order.

    Of lines, shipments and refunds it has those that changed; a new one stands apart.
    """

    order: Order
    saga: Saga
    entries: tuple[Entry, ...] = ()
    commands: tuple[Command, ...] = ()
    lines: tuple[Line, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    new_shipment: Shipment | None = None
    new_refund: Refund | None = None

    def changes(self, situation: Situation) -> bool:
        return self.after(situation) != situation

    def stepped(self, order: Order, entry: Entry) -> "Decision":
        """Add one version."""
        return replace(self, order=order, entries=(*self.entries, entry))

    def after(self, situation: Situation) -> Situation:
        """Return the situation that this decision leaves behind."""
        lines = {line.line_no: line for line in self.lines}
        shipments = {each.id: each for each in self.shipments}
        refunds = {each.id: each for each in self.refunds}
        new_shipments = () if self.new_shipment is None else (self.new_shipment,)
        new_refunds = () if self.new_refund is None else (self.new_refund,)
        return Situation(
            order=self.order,
            saga=self.saga,
            lines=tuple(lines.get(each.line_no, each) for each in situation.lines),
            shipments=(
                *(shipments.get(each.id, each) for each in situation.shipments),
                *new_shipments,
            ),
            refunds=(*(refunds.get(each.id, each) for each in situation.refunds), *new_refunds),
        )


def unchanged(situation: Situation) -> Decision:
    return Decision(order=situation.order, saga=situation.saga)


def begin(order: Order, lines: Sequence[Line], source: PaymentSource, at: datetime) -> Decision:
    """Decide what an order that was just placed asks for first; its placing is not among entries.

    Steps that have nothing to do are skipped: such an order may be confirmed at once.
    """
    saga = Saga(order_id=order.id, step=Step.RESERVE, payment_source=source)
    items = stock_items((line.sku, line.quantity) for line in lines if line.stock_tracked)
    if items:
        reserving = replace(saga, reserve_sent=True, deadline_at=at + RESERVE_LATE_AFTER)
        return Decision(
            order=order,
            saga=reserving,
            commands=(ReserveStock(order_id=order.id, items=items),),
        )
    return pay_or_confirm(Situation(order=order, saga=saga, lines=tuple(lines)), at)


def pay_or_confirm(situation: Situation, at: datetime) -> Decision:
    """Go on with an order whose stock is held; one that costs nothing skips the payment."""
    if situation.order.total_minor == 0:
        return confirm(situation, at)
    order, saga = situation.order, situation.saga
    if saga.payment_source is None:
        raise ValueError(f"order {order.id} costs money and has no payment source")
    command = AuthorisePayment(
        order_id=order.id,
        amount=order.total,
        payment_source=saga.payment_source,
        external_reference=order.external_reference,
        deadline_at=at + AUTHORISE_GIVEN_UP_AFTER,
    )
    asking = replace(
        saga,
        step=Step.AUTHORISE,
        authorise_sent=True,
        payment_source=None,
        deadline_at=at + AUTHORISE_LATE_AFTER,
    )
    return Decision(order=order, saga=asking, commands=(command,))


def confirm(situation: Situation, at: datetime, paid: PaymentAuthorised | None = None) -> Decision:
    """Confirm an order whose stock is held and whose money, if it costs any, is authorised."""
    order, confirmed = situation.order.confirm(situation.lines, at, paid)
    saga = replace(situation.saga, step=Step.CONFIRMED, payment_source=None, deadline_at=None)
    return Decision(order=order, saga=saga, entries=(Entry(event=confirmed),))


def compensate(saga: Saga, total_minor: int, at: datetime) -> tuple[Saga, tuple[Command, ...]]:
    """Undo whatever was asked for, done or in flight: tombstones make every arrival order safe."""
    commands: list[Command] = []
    release_id = new_id() if saga.reserve_sent else None
    if release_id is not None:
        commands.append(ReleaseStock(order_id=saga.order_id, release_id=release_id))
    reduction_id = new_id() if total_minor > 0 else None
    if reduction_id is not None:
        # A source that was never sent may name money the checkout already holds.
        commands.append(
            ReducePayment(
                order_id=saga.order_id,
                reduction_id=reduction_id,
                payment_source=None if saga.authorise_sent else saga.payment_source,
            )
        )
    undoing = replace(
        saga,
        step=Step.COMPENSATE if commands else Step.DONE,
        deadline_at=at + COMPENSATION_LATE_AFTER if commands else None,
        payment_source=None,
        release_id=release_id,
        reduction_id=reduction_id,
    )
    return undoing, tuple(commands)


def stock_items(pieces: Iterable[tuple[str, int]]) -> tuple[StockItem, ...]:
    """Sum over all lines of a SKU: checked line by line, two lines would take one piece twice."""
    wanted: dict[str, int] = {}
    for sku, quantity in pieces:
        wanted[sku] = wanted.get(sku, 0) + quantity
    return tuple(StockItem(sku=sku, quantity=wanted[sku]) for sku in sorted(wanted))
