"""The order's steps: each (status, step) pair is legal or refused, and each legal one a version."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from libs.contracts.orders import OrderEvent, ShortItem
from libs.domain.orders.order import (
    Cancellation,
    Order,
    PaymentStatus,
    Rejection,
    RejectionReason,
)
from libs.domain.orders.status import CLOSED, NEXT, IllegalTransition, Status
from libs.foundation.ids import new_id
from libs.testkit import build

Step = Callable[[Order], tuple[Order, OrderEvent]]

LINES = (build.line("TEE", 3, 1_000), build.line("MUG", 1, 500, line_no=2))
OUT_OF_STOCK = Rejection(
    reason=RejectionReason.OUT_OF_STOCK, short=(ShortItem(sku="TEE", requested=3, available=1),)
)


def _confirm(order: Order) -> tuple[Order, OrderEvent]:
    return order.confirm(LINES, build.NOW)


def _reject(order: Order) -> tuple[Order, OrderEvent]:
    return order.reject(OUT_OF_STOCK, build.NOW)


def _cancel(order: Order) -> tuple[Order, OrderEvent]:
    cancellation = Cancellation(id=new_id(), reason="other", lines=(), value_minor=1_500)
    return order.cancel(cancellation, build.NOW)


# The rows of the specification, written out once more: step, from, to.
LEGAL: dict[tuple[Step, Status], Status] = {
    (_confirm, Status.PENDING): Status.CONFIRMED,
    (_reject, Status.PENDING): Status.REJECTED,
    (_cancel, Status.PENDING): Status.CANCELLED,
    (_cancel, Status.CONFIRMED): Status.CANCELLED,
}
EVERY_PAIR = [(step, status) for step in (_confirm, _reject, _cancel) for status in Status]


@pytest.mark.parametrize(("step", "status"), EVERY_PAIR)
def test_each_step_from_each_status_is_legal_or_refused(step: Step, status: Status) -> None:
    order = build.order(LINES, status=status, version=7)
    wanted = LEGAL.get((step, status))

    if wanted is None:
        with pytest.raises(IllegalTransition) as refusal:
            step(order)
        assert refusal.value.extensions() == {
            "order_status": status.value,
            "allowed": sorted(NEXT[status]),
        }
    else:
        after, event = step(order)
        assert (after.status, after.version) == (wanted, 8)
        assert (event.status, event.version, event.order_id) == (wanted.value, 8, order.id)
        assert after.closed_at == (build.NOW if wanted in CLOSED else None)


def test_the_statuses_follow_each_other_as_specified() -> None:
    steps = {(current.value, wanted.value) for current in NEXT for wanted in NEXT[current]}

    assert set(NEXT) == set(Status)
    assert steps == {
        ("pending", "confirmed"),
        ("pending", "rejected"),
        ("pending", "cancelled"),
        ("confirmed", "cancelled"),
        ("confirmed", "shipped"),
        ("shipped", "completed"),
        ("shipped", "refunded"),
        ("completed", "refunded"),
    }


def test_only_completed_may_still_leave_a_closed_status() -> None:
    assert {status for status in CLOSED if NEXT[status]} == {Status.COMPLETED}


def test_confirming_copies_the_money_and_tells_what_to_pick() -> None:
    order = build.order(LINES)
    paid = build.payment_authorised(order.id, 1_500)

    confirmed, event = order.confirm(LINES, build.NOW, paid)

    assert confirmed.payment_status is PaymentStatus.AUTHORISED
    assert confirmed.authorised_minor == 1_500
    assert confirmed.capture_before == event.capture_before == paid.capture_before
    assert [(line.sku, line.quantity) for line in event.lines] == [("TEE", 3), ("MUG", 1)]
    assert event.total == build.euros(1_500)


@pytest.mark.parametrize(
    ("reason", "payment_status"),
    [
        (RejectionReason.OUT_OF_STOCK, PaymentStatus.NONE),
        (RejectionReason.PAYMENT_DECLINED, PaymentStatus.DECLINED),
        (RejectionReason.TIMED_OUT, PaymentStatus.DECLINED),
    ],
)
def test_a_rejection_shows_why(reason: RejectionReason, payment_status: PaymentStatus) -> None:
    rejection = replace(OUT_OF_STOCK, reason=reason, decline_code="card_declined")

    rejected, event = build.order(LINES).reject(rejection, build.NOW)

    assert (rejected.rejection, rejected.payment_status) == (rejection, payment_status)
    assert (event.reason, event.decline_code) == (reason.value, "card_declined")
    assert event.short == rejection.short


def test_a_flag_is_raised_and_cleared_without_moving_the_status() -> None:
    order = build.order(LINES, status=Status.CONFIRMED)

    flagged, raised = order.raise_attention("step_late", "reserve", build.NOW)
    cleared, gone = flagged.clear_attention("step_late", build.NOW)

    assert (flagged.attention, cleared.attention) == (("step_late",), ())
    assert (raised.version, gone.version) == (2, 3)
    assert flagged.status is cleared.status is Status.CONFIRMED


def test_money_given_back_is_shown_on_a_closed_order() -> None:
    order = build.order(LINES, status=Status.CANCELLED, version=3)

    shown, event = order.release_payment(build.amounts(1_500, 1_500), build.NOW)

    assert (shown.status, shown.version) == (Status.CANCELLED, 4)
    assert shown.payment_status is PaymentStatus.VOIDED
    assert (event.released, event.returned) == (build.euros(1_500), build.euros(0))
