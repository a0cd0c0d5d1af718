"""A world around the pure cores: orders, inventory and a payment provider that share one network.

Messages arrive in any order, twice, late, or for a closed order; only loss is impossible, since
the outbox sends until it is heard.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.inventory import ReleaseStock, ReserveStock, StockItem
from libs.contracts.messages import Message
from libs.contracts.payments import (
    AuthorisePayment,
    PaymentDeclined,
    PaymentReduced,
    PaymentUnresolved,
    ReducePayment,
)
from libs.domain.inventory.reservation import Reservation, State, release, reserve
from libs.domain.inventory.stock import Movement, MovementKind, Shelf, Stock
from libs.domain.orders import answers
from libs.domain.orders.cancellation import CancellationReason, cancel
from libs.domain.orders.order import Line
from libs.domain.orders.saga import Decision, Situation, begin, flag_if_late
from libs.domain.orders.timeline import SYSTEM, Entry
from libs.testkit import build

DECIDE: dict[str, Callable[[Situation, Any, datetime], Decision]] = {
    "inventory.stock_reserved.v1": answers.on_stock_reserved,
    "inventory.stock_rejected.v1": answers.on_stock_rejected,
    "inventory.stock_released.v1": answers.on_stock_released,
    "payments.payment_authorised.v1": answers.on_payment_authorised,
    "payments.payment_declined.v1": answers.on_payment_declined,
    "payments.payment_reduced.v1": answers.on_payment_reduced,
    "payments.payment_unresolved.v1": answers.on_payment_unresolved,
}


class Payment(Struct, frozen=True, kw_only=True):
    """The provider's view of one order's money."""

    answer: Message | None = None
    reduced: bool = False
    authorised_minor: int = 0
    released_minor: int = 0


class World:
    """Everything that is durable, and the messages in flight."""

    def __init__(self, on_hand: dict[str, int]) -> None:
        self.now = build.NOW
        self.stock = {sku: Stock(sku=sku, on_hand=pieces) for sku, pieces in on_hand.items()}
        self.reservations: dict[str, Reservation] = {}
        self.movements: list[Movement] = []
        self.payments: dict[str, Payment] = {}
        self.orders: dict[str, Situation] = {}
        self.timelines: dict[str, list[Entry]] = {}
        self.cancelled_minor: dict[str, int] = {}
        self.in_flight: list[Message] = []
        self.provider_outcome = "authorised"

    def place(self, lines: tuple[Line, ...]) -> None:
        placed = build.order(lines)
        decision = begin(placed, lines, build.SOURCE, self.now)
        self.timelines[placed.aggregate_id] = []
        self._store(Situation(order=placed, saga=decision.saga, lines=lines), decision)

    def cancel(self, situation: Situation) -> None:
        decision, cancellation = cancel(situation, CancellationReason.OTHER, SYSTEM, self.now)
        self.cancelled_minor[situation.order.aggregate_id] = cancellation.value_minor
        self._store(situation, decision)

    def look_for_late_steps(self, elapsed: timedelta) -> None:
        self.now += elapsed
        for situation in list(self.orders.values()):
            self._store(situation, flag_if_late(situation, self.now))

    def deliver(self, message: Message) -> None:
        match message:
            case ReserveStock() | ReleaseStock():
                self._to_inventory(message)
            case AuthorisePayment():
                self._authorise(message)
            case ReducePayment():
                self._reduce(message)
            case _:
                situation = self.orders[message.subject]
                self._store(situation, DECIDE[message.type](situation, message, self.now))

    def _store(self, situation: Situation, decision: Decision) -> None:
        order_id = situation.order.aggregate_id
        lines = decision.lines or situation.lines
        self.orders[order_id] = Situation(order=decision.order, saga=decision.saga, lines=lines)
        self.timelines[order_id].extend(decision.entries)
        self.in_flight.extend(decision.commands)

    def _to_inventory(self, command: ReserveStock | ReleaseStock) -> None:
        fresh = Reservation(order_id=command.order_id, state=State.NEW, sequence=0)
        reservation = self.reservations.get(command.subject, fresh)
        shelf = Shelf(self.stock.values())
        if isinstance(command, ReserveStock):
            outcome = reserve(reservation, command, shelf)
        else:
            outcome = release(reservation, command, self._released(command), shelf)
        self.reservations[command.subject] = outcome.reservation
        self.stock |= {stock.sku: stock for stock in shelf.changed()}
        self.movements.extend(shelf.movements)
        self.in_flight.append(outcome.event)

    def _released(self, command: ReleaseStock) -> tuple[StockItem, ...]:
        return tuple(
            StockItem(sku=move.sku, quantity=-move.reserved_delta)
            for move in self.movements
            if (move.kind, move.reference) == (MovementKind.RELEASE, command.release_id)
        )

    def _authorise(self, command: AuthorisePayment) -> None:
        payment = self.payments.get(command.subject, Payment())
        if payment.answer is None:
            payment = self._decided(payment, command)
            self.payments[command.subject] = payment
        if payment.answer is not None:
            self.in_flight.append(payment.answer)

    def _decided(self, payment: Payment, command: AuthorisePayment) -> Payment:
        order_id, amount_minor = command.order_id, command.amount.amount
        if payment.reduced:
            superseded = PaymentDeclined(order_id=order_id, decline_code="superseded")
            return replace(payment, answer=superseded)
        if self.provider_outcome == "unresolved":
            unresolved = PaymentUnresolved(
                order_id=order_id, operation="authorise", reason="no answer"
            )
            self.in_flight.extend([unresolved, command])
            self.provider_outcome = "authorised"
            return payment
        if self.provider_outcome != "authorised":
            declined = PaymentDeclined(order_id=order_id, decline_code=self.provider_outcome)
            return replace(payment, answer=declined)
        answer = build.payment_authorised(order_id, amount_minor)
        return replace(payment, answer=answer, authorised_minor=amount_minor)

    def _reduce(self, command: ReducePayment) -> None:
        payment = self.payments.get(command.subject, Payment())
        payment = replace(payment, reduced=True, released_minor=payment.authorised_minor)
        self.payments[command.subject] = payment
        answer = PaymentReduced(
            order_id=command.order_id,
            reduction_id=command.reduction_id,
            amounts=build.amounts(payment.authorised_minor, payment.released_minor),
        )
        self.in_flight.append(answer)
