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
from libs.domain.orders.timeline import Entry
from libs.foundation.ids import new_id

STEP_LATE: Final = "step_late"

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
    COMPENSATE = "compensate"
    DONE = "done"


class Saga(Struct, frozen=True, kw_only=True):
    """A row of orders.sagas; `deadline_at` makes a late step visible and decides nothing.

    `payment_source` is kept only until it is sent. An id of a compensation that was never needed
    is None.
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


class Decision(Struct, frozen=True, kw_only=True):
    """All that a decision changes; one entry per version, in order."""

    order: Order
    saga: Saga
    entries: tuple[Entry, ...] = ()
    commands: tuple[Command, ...] = ()
    lines: tuple[Line, ...] = ()

    def changes(self, situation: Situation) -> bool:
        return self.order != situation.order or self.saga != situation.saga


def begin(order: Order, lines: Sequence[Line], source: PaymentSource, at: datetime) -> Decision:
    """Decide what an order that was just placed asks for first; its placing is not among entries.

    Steps that have nothing to do are skipped: such an order may be confirmed at once.
    """
    saga = Saga(order_id=order.id, step=Step.RESERVE, payment_source=source)
    items = _tracked_items(lines)
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


def flag_if_late(situation: Situation, at: datetime) -> Decision:
    """Raise `step_late` once for a step whose deadline has passed; nothing else happens."""
    order, saga = situation.order, situation.saga
    if saga.deadline_at is None or saga.deadline_at > at:
        return Decision(order=order, saga=saga)
    flagged, event = order.raise_attention(STEP_LATE, saga.step.value, at)
    return Decision(
        order=flagged,
        saga=replace(saga, deadline_at=None),
        entries=(Entry(event=event, reason=STEP_LATE),),
    )


def without_flags(decision: Decision, codes: Iterable[str], at: datetime) -> Decision:
    """Add a version for each of `codes` that the order carries and whose reason is gone."""
    for code in codes:
        if code in decision.order.attention:
            order, event = decision.order.clear_attention(code, at)
            entry = Entry(event=event, reason=code)
            decision = replace(decision, order=order, entries=(*decision.entries, entry))
    return decision


def _tracked_items(lines: Sequence[Line]) -> tuple[StockItem, ...]:
    """Sum over all lines of a SKU: checked line by line, two lines would take one piece twice."""
    wanted: dict[str, int] = {}
    for line in lines:
        if line.stock_tracked:
            wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return tuple(StockItem(sku=sku, quantity=wanted[sku]) for sku in sorted(wanted))
