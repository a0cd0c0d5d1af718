"""Shipping what is open: its exact value, the money first, and what ends it."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from libs.contracts.inventory import ShipStock, StockItem
from libs.contracts.orders import OrderEvent, ShipmentRequested
from libs.contracts.payments import CapturePayment
from libs.domain.orders.attention import CAPTURE_FAILED, PAYMENT_UNRESOLVED, STEP_LATE, flag_if_late
from libs.domain.orders.cancellation import CancellationReason, cancel
from libs.domain.orders.errors import OrderPartsLimit, QuantityUnavailable, ShipmentInProgress
from libs.domain.orders.order import PaymentStatus
from libs.domain.orders.payment_unresolved import on_payment_unresolved
from libs.domain.orders.saga import Decision, Situation, Step
from libs.domain.orders.shipment import SHIPMENTS_MAX, Shipment, ShipmentState
from libs.domain.orders.shipment_answers import (
    on_capture_failed,
    on_payment_captured,
    on_stock_shipped,
)
from libs.domain.orders.shipping import CAPTURE_LATE_AFTER, request_shipment
from libs.domain.orders.status import IllegalTransition, Status
from libs.domain.orders.timeline import SYSTEM, Actor, ActorKind
from libs.testkit import build

STAFF = Actor(kind=ActorKind.STAFF, id="s_1")
LINES = (
    build.line("TEE", 3, 1_000),
    build.line("MUG", 2, 999, line_no=2),
    build.line("TEE", 1, 500, line_no=3),
    build.line("GIFT", 1, 300, line_no=4, stock_tracked=False),
)
TOTAL_MINOR = 1_000 + 999 + 500 + 300 + 490


def _requested(now: Situation | None = None) -> tuple[Situation, Shipment, Decision]:
    now = build.confirmed(LINES, 490) if now is None else now
    decision, shipment = request_shipment(now, STAFF, build.NOW)
    return decision.after(now), shipment, decision


def _captured(now: Situation, shipment: Shipment) -> Decision:
    answer = build.payment_captured(now.order.id, shipment.id, TOTAL_MINOR)
    return on_payment_captured(now, answer, build.NOW)


def _failed(now: Situation, shipment: Shipment) -> Decision:
    answer = build.capture_failed(now.order.id, shipment.id, "card_expired")
    return on_capture_failed(now, answer, build.NOW)


def _types(decision: Decision) -> list[str]:
    return [entry.event.type.split(".")[1] for entry in decision.entries]


def test_every_open_unit_and_the_shipping_are_taken_and_asked_for_once() -> None:
    now, shipment, decision = _requested()

    assert [line.open for line in now.lines] == [0, 0, 0, 0]
    assert (shipment.amount_minor, shipment.shipping_value_minor) == (TOTAL_MINOR, 490)
    assert decision.commands == (
        CapturePayment(
            order_id=now.order.id, shipment_id=shipment.id, amount=build.euros(TOTAL_MINOR)
        ),
    )
    (entry,) = decision.entries
    assert isinstance(entry.event, ShipmentRequested)
    assert (entry.actor, entry.event.version, entry.event.status) == (STAFF, 2, "confirmed")
    assert sum(line.tax.amount for line in entry.event.lines) == sum(
        line.tax_minor for line in LINES
    )
    assert shipment.late_at == build.NOW + CAPTURE_LATE_AFTER


def test_taken_money_releases_the_shipment_and_ships_the_order_as_two_versions() -> None:
    now, shipment, _ = _requested()

    decision = _captured(now, shipment)

    after = decision.after(now)
    assert _types(decision) == ["shipment_released", "order_shipped"]
    assert [entry.event.version for entry in decision.entries] == [3, 4]
    assert (after.order.status, after.saga.step) == (Status.SHIPPED, Step.SHIPPED)
    assert (after.saga.shipped_at, after.saga.deadline_at) == (build.NOW, None)
    assert after.order.payment_status is PaymentStatus.SETTLED
    assert after.order.captured_minor == after.due_minor == TOTAL_MINOR
    assert decision.commands == (
        ShipStock(
            order_id=now.order.id,
            shipment_id=shipment.id,
            items=(StockItem(sku="MUG", quantity=2), StockItem(sku="TEE", quantity=4)),
        ),
    )


def test_a_shipment_that_costs_nothing_is_released_where_it_is_requested() -> None:
    now, shipment, decision = _requested(build.confirmed([build.line("TEE", 2, 0)]))

    assert _types(decision) == ["shipment_requested", "shipment_released", "order_shipped"]
    assert shipment.released
    assert [type(command) for command in decision.commands] == [ShipStock]
    assert now.order.payment_status is PaymentStatus.NONE


def test_nothing_tracked_asks_for_no_stock_to_leave() -> None:
    now = build.shipped([build.line("GIFT", 1, 300, stock_tracked=False)])

    assert not now.shipments[0].waiting


def test_money_that_cannot_be_taken_opens_the_units_again_and_calls_a_person() -> None:
    now, shipment, _ = _requested()

    decision = _failed(now, shipment)

    after = decision.after(now)
    assert _types(decision) == ["shipment_failed", "attention_raised"]
    assert [line.shipped for line in after.lines] == [0, 0, 0, 0]
    assert after.order.attention == (CAPTURE_FAILED,)
    assert (after.order.status, after.due_minor) == (Status.CONFIRMED, 0)
    assert after.shipments[0].state is ShipmentState.FAILED


def test_a_later_shipment_that_succeeds_takes_the_flag_away() -> None:
    now, shipment, _ = _requested()
    failed = _failed(now, shipment).after(now)

    again, second, _ = _requested(failed)
    decision = _captured(again, second)

    assert second.shipping_value_minor == 490
    assert _types(decision) == ["shipment_released", "order_shipped", "attention_cleared"]
    assert decision.order.attention == ()


def test_one_shipment_waits_for_its_money_at_a_time() -> None:
    now, _, _ = _requested()

    with pytest.raises(ShipmentInProgress):
        request_shipment(now, STAFF, build.NOW)


@pytest.mark.parametrize("status", set(Status) - {Status.CONFIRMED})
def test_only_a_confirmed_order_ships(status: Status) -> None:
    now = build.situation(Step.CONFIRMED, status)

    with pytest.raises(IllegalTransition):
        request_shipment(now, STAFF, build.NOW)


def test_an_order_has_a_bounded_number_of_shipments() -> None:
    now, shipment, _ = _requested()
    failed = _failed(now, shipment).after(now)
    many = replace(failed, shipments=failed.shipments * SHIPMENTS_MAX)

    with pytest.raises(OrderPartsLimit):
        request_shipment(many, STAFF, build.NOW)


def test_units_in_a_shipment_are_not_cancelled_and_open_again_when_it_fails() -> None:
    now, shipment, _ = _requested()

    with pytest.raises(QuantityUnavailable) as refusal:
        cancel(now, CancellationReason.OTHER, SYSTEM, build.NOW)
    failed = _failed(now, shipment).after(now)
    cancelled, cancellation = cancel(failed, CancellationReason.OTHER, SYSTEM, build.NOW)

    lines = [{"line_no": line_no, "open": 0} for line_no in (1, 2, 3, 4)]
    assert refusal.value.extensions() == {"lines": lines}
    assert (cancelled.order.status, cancelled.order.attention) == (Status.CANCELLED, ())
    assert cancellation.value_minor == TOTAL_MINOR


def test_a_late_capture_and_a_late_departure_are_flagged_until_they_pass() -> None:
    now, shipment, _ = _requested()
    hour = timedelta(hours=1)

    late = flag_if_late(now, build.NOW + hour).after(now)
    passed = _captured(late, shipment).after(late)
    late_again = flag_if_late(passed, build.NOW + hour).after(passed)
    answer = build.stock_has_shipped(now.order.id, shipment.id)
    gone = on_stock_shipped(late_again, answer, build.NOW).after(late_again)

    flags = [each.order.attention for each in (late, passed, late_again, gone)]
    assert flags == [(STEP_LATE,), (), (STEP_LATE,), ()]
    assert flag_if_late(late, build.NOW + 2 * hour).after(late) == late


def test_an_unresolved_capture_is_flagged_until_its_outcome_is_known() -> None:
    now, shipment, _ = _requested()
    answer = build.payment_unresolved(now.order.id, shipment.id, "capture")

    flagged = on_payment_unresolved(now, answer, build.NOW).after(now)
    known = _captured(flagged, shipment).after(flagged)
    late = on_payment_unresolved(known, answer, build.NOW)

    assert flagged.order.attention == (PAYMENT_UNRESOLVED,)
    assert known.order.attention == ()
    assert not late.changes(known)


def test_an_order_that_is_shipped_says_what_was_due_and_taken() -> None:
    now, shipment, _ = _requested()

    shipped: OrderEvent = _captured(now, shipment).entries[-1].event

    assert (shipped.type, shipped.status) == ("orders.order_shipped.v1", "shipped")
