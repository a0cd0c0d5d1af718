"""A world around the pure cores: orders, inventory and a payment provider that share one network.

Messages arrive in any order, twice, late, or for a closed order, and whoever handles them may
crash before or after its commit; only loss is impossible, since the outbox sends until it is heard.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from libs.contracts.inventory import (
    InventoryCommand,
    ReleaseStock,
    ReserveStock,
    ReturnStock,
    ShipStock,
)
from libs.contracts.messages import Message
from libs.contracts.orders import ShipmentFailed
from libs.contracts.payments import PaymentCommand
from libs.domain.orders import answers, refund_answers, shipment_answers
from libs.domain.orders.attention import clear_flag, flag_if_late
from libs.domain.orders.cancellation import CancellationReason, cancel
from libs.domain.orders.completion import complete
from libs.domain.orders.order import Line
from libs.domain.orders.payment_unresolved import on_payment_unresolved
from libs.domain.orders.refund import Refund
from libs.domain.orders.refunding import RefundWish, request_refund, retry, settle_manually
from libs.domain.orders.saga import Decision, Situation, begin
from libs.domain.orders.shipping import request_shipment
from libs.domain.orders.timeline import SYSTEM, Entry
from libs.testkit import build
from tests.unit.inventory.warehouse import Warehouse
from tests.unit.orders.provider_model import Command, Provider

DECIDE: dict[str, Callable[[Situation, Any, datetime], Decision]] = {
    "inventory.stock_reserved.v1": answers.on_stock_reserved,
    "inventory.stock_rejected.v1": answers.on_stock_rejected,
    "inventory.stock_released.v1": answers.on_stock_released,
    "inventory.stock_shipped.v1": shipment_answers.on_stock_shipped,
    "inventory.stock_returned.v1": refund_answers.on_stock_returned,
    "payments.payment_authorised.v1": answers.on_payment_authorised,
    "payments.payment_declined.v1": answers.on_payment_declined,
    "payments.payment_reduced.v1": answers.on_payment_reduced,
    "payments.payment_unresolved.v1": on_payment_unresolved,
    "payments.payment_captured.v1": shipment_answers.on_payment_captured,
    "payments.capture_failed.v1": shipment_answers.on_capture_failed,
    "payments.refund_succeeded.v1": refund_answers.on_refund_succeeded,
    "payments.refund_failed.v1": refund_answers.on_refund_failed,
}
COMPLETE_AFTER = timedelta(days=14)


class World:
    """Everything that is durable, and the messages in flight."""

    def __init__(self, on_hand: dict[str, int]) -> None:
        self.now = build.NOW
        self.warehouse = Warehouse(on_hand)
        self.provider = Provider()
        self.orders: dict[str, Situation] = {}
        self.timelines: dict[str, list[Entry]] = {}
        self.cancelled_minor: dict[str, int] = {}
        self.in_flight: list[Message] = []

    def place(self, lines: tuple[Line, ...], shipping_minor: int) -> None:
        placed = build.order(lines, shipping_total_minor=shipping_minor)
        decision = begin(placed, lines, build.SOURCE, self.now)
        self.timelines[placed.aggregate_id] = []
        self._store(Situation(order=placed, saga=decision.saga, lines=lines), decision)

    def cancel(self, situation: Situation) -> None:
        decision, cancellation = cancel(situation, CancellationReason.OTHER, SYSTEM, self.now)
        self.cancelled_minor[situation.order.aggregate_id] = cancellation.value_minor
        self._store(situation, decision)

    def ship(self, situation: Situation) -> None:
        decision, _ = request_shipment(situation, SYSTEM, self.now)
        self._store(situation, decision)

    def refund(self, situation: Situation, wish: RefundWish) -> None:
        decision, _ = request_refund(situation, wish, SYSTEM, self.now)
        self._store(situation, decision)

    def retry(self, situation: Situation, refund: Refund) -> None:
        self._store(situation, retry(situation, refund, SYSTEM, self.now))

    def settle(self, situation: Situation, refund: Refund) -> None:
        self._store(situation, settle_manually(situation, refund, SYSTEM, self.now))

    def clear(self, situation: Situation, code: str) -> None:
        self._store(situation, clear_flag(situation, code, SYSTEM, self.now))

    def let_timers_run(self, elapsed: timedelta) -> None:
        self.now += elapsed
        for situation in list(self.orders.values()):
            self._store(situation, flag_if_late(situation, self.now))
        for situation in list(self.orders.values()):
            self._store(situation, complete(situation, COMPLETE_AFTER, self.now))

    def deliver(self, message: Message) -> None:
        match message:
            case ReserveStock() | ReleaseStock() | ShipStock() | ReturnStock():
                self.in_flight.append(self.warehouse.handle(message))
            case PaymentCommand():
                self.in_flight.extend(self.provider.handle(_operation(message)))
            case InventoryCommand():
                raise TypeError(message.type)
            case _:
                situation = self.orders[message.subject]
                self._store(situation, self.decide(message))

    def decide(self, message: Message) -> Decision:
        """Decide without storing: what a worker has done when it dies before its commit."""
        return DECIDE[message.type](self.orders[message.subject], message, self.now)

    def _store(self, situation: Situation, decision: Decision) -> None:
        order_id = situation.order.aggregate_id
        after = decision.after(situation)
        _check_counters(situation, after, decision)
        self.orders[order_id] = after
        self.timelines[order_id].extend(decision.entries)
        self.in_flight.extend(decision.commands)


def _check_counters(before: Situation, after: Situation, decision: Decision) -> None:
    """No counter ever falls, but `shipped` when a shipment fails."""
    failed = any(isinstance(entry.event, ShipmentFailed) for entry in decision.entries)
    for old, new in zip(before.lines, after.lines, strict=True):
        assert new.shipped >= old.shipped or failed
        assert new.cancelled >= old.cancelled
        assert new.refunded >= old.refunded
        assert new.restocked >= old.restocked


def _operation(command: PaymentCommand) -> Command:
    assert isinstance(command, Command)
    return command
