"""Giving money back: exact parts, never more than is due, counted from the acceptance on."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from libs.contracts.inventory import ReturnStock, StockItem
from libs.contracts.orders import OrderRefunded, OrderRefundSucceeded, RefundRequested
from libs.contracts.payments import RefundPayment
from libs.domain.orders.attention import REFUND_FAILED, STEP_LATE, flag_if_late
from libs.domain.orders.completion import complete
from libs.domain.orders.errors import (
    IllegalRefundStep,
    OrderPartsLimit,
    QuantityUnavailable,
    RefundExceedsRefundable,
)
from libs.domain.orders.placing_errors import CurrencyMismatch
from libs.domain.orders.refund import REFUNDS_MAX, Refund, RefundReason, RefundState
from libs.domain.orders.refund_answers import (
    on_refund_failed,
    on_refund_succeeded,
    on_stock_returned,
)
from libs.domain.orders.refunding import (
    REFUND_LATE_AFTER,
    RefundWish,
    request_refund,
    retry,
    settle_manually,
)
from libs.domain.orders.saga import Decision, Situation, Step
from libs.domain.orders.status import IllegalTransition, Status
from libs.domain.orders.timeline import Actor, ActorKind
from libs.testkit import build

STAFF = Actor(kind=ActorKind.STAFF, id="s_1")
LINES = (
    build.line("TEE", 3, 1_000),
    build.line("GIFT", 1, 300, line_no=2, stock_tracked=False),
)
DUE_MINOR = 1_000 + 300 + 490
WHOLE = RefundWish(reason=RefundReason.RETURN, restock=True)
COMPLETE_AFTER = timedelta(days=14)


def _by_amount(amount_minor: int) -> RefundWish:
    return RefundWish(reason=RefundReason.GOODWILL, adjustment=build.euros(amount_minor))


def _refunded(
    now: Situation | None = None, wish: RefundWish = WHOLE
) -> tuple[Situation, Refund, Decision]:
    now = build.shipped(LINES, 490) if now is None else now
    decision, refund = request_refund(now, wish, STAFF, build.NOW)
    return decision.after(now), refund, decision


def _succeeded(now: Situation, refund: Refund) -> Decision:
    answer = build.refund_succeeded(now.order.id, refund.id, refund.amount_minor, refund.attempt)
    return on_refund_succeeded(now, answer, build.NOW)


def _failed(now: Situation, refund: Refund) -> tuple[Situation, Refund, Decision]:
    answer = build.refund_failed(now.order.id, refund.id, refund.attempt)
    decision = on_refund_failed(now, answer, build.NOW)
    after = decision.after(now)
    return after, after.refunds[-1], decision


def _types(decision: Decision) -> list[str]:
    return [entry.event.type.split(".")[1] for entry in decision.entries]


def test_a_whole_refund_asks_for_all_that_is_left_and_takes_stock_back_at_once() -> None:
    now, refund, decision = _refunded()

    order_id = now.order.id
    assert (refund.amount_minor, refund.shipping_minor) == (DUE_MINOR, 490)
    assert refund.tax_minor == sum(line.tax_minor for line in LINES) + now.order.shipping_tax_minor
    assert decision.commands == (
        RefundPayment(
            order_id=order_id, refund_id=refund.id, attempt=1, amount=build.euros(DUE_MINOR)
        ),
        ReturnStock(
            order_id=order_id, refund_id=refund.id, items=(StockItem(sku="TEE", quantity=3),)
        ),
    )
    assert [(line.refunded, line.restocked) for line in now.lines] == [(3, 3), (1, 0)]
    (entry,) = decision.entries
    assert isinstance(entry.event, RefundRequested)
    assert (entry.actor, entry.event.attempt) == (STAFF, 1)
    assert (now.order.status, now.refundable_minor) == (Status.SHIPPED, 0)


def test_without_restock_no_piece_comes_back() -> None:
    now, refund, decision = _refunded(wish=replace(WHOLE, restock=False))

    assert [type(command) for command in decision.commands] == [RefundPayment]
    assert [line.restocked for line in now.lines] == [0, 0]
    assert not refund.stock_sent


def test_an_amount_alone_has_no_lines_and_no_tax_and_is_rounded_by_nobody() -> None:
    now, refund, decision = _refunded(wish=_by_amount(1))
    rest, whole, _ = _refunded(now, _by_amount(DUE_MINOR - 1))

    assert (refund.lines, refund.tax_minor, refund.adjustment_minor) == ((), 0, 1)
    assert [type(command) for command in decision.commands] == [RefundPayment]
    assert [line.refunded for line in now.lines] == [0, 0]
    assert (whole.amount_minor, rest.refundable_minor) == (DUE_MINOR - 1, 0)


def test_the_whole_after_an_amount_is_exactly_what_is_left() -> None:
    now, _, _ = _refunded(wish=_by_amount(100))
    rest, whole, _ = _refunded(now, WHOLE)

    assert (whole.amount_minor, whole.adjustment_minor) == (DUE_MINOR - 100, -100)
    assert rest.refundable_minor == 0


def test_no_more_than_is_due_is_given_back_whatever_became_of_earlier_refunds() -> None:
    now, refund, _ = _refunded(wish=_by_amount(100))
    now, _, _ = _failed(now, refund)

    with pytest.raises(RefundExceedsRefundable) as refusal:
        request_refund(now, _by_amount(DUE_MINOR), STAFF, build.NOW)

    assert refusal.value.extensions() == {"refundable": build.euros(DUE_MINOR - 100)}


def test_another_currency_is_refused() -> None:
    wish = RefundWish(reason=RefundReason.OTHER, adjustment=replace(build.euros(1), currency="USD"))

    with pytest.raises(CurrencyMismatch):
        _refunded(wish=wish)


@pytest.mark.parametrize("status", set(Status) - {Status.SHIPPED, Status.COMPLETED})
def test_only_what_has_left_is_refunded(status: Status) -> None:
    now = build.situation(Step.CONFIRMED, status)

    with pytest.raises(IllegalTransition):
        request_refund(now, WHOLE, STAFF, build.NOW)


def test_an_order_has_a_bounded_number_of_refunds() -> None:
    now = build.shipped(LINES)
    for _ in range(REFUNDS_MAX):
        now, _, _ = _refunded(now, _by_amount(1))

    with pytest.raises(OrderPartsLimit):
        _refunded(now, _by_amount(1))


def test_goods_that_cost_nothing_come_back_without_the_provider_and_once() -> None:
    free = build.shipped([build.line("TEE", 2, 0)])

    now, refund, decision = _refunded(free)

    assert _types(decision) == ["refund_requested", "refund_succeeded"]
    assert [type(command) for command in decision.commands] == [ReturnStock]
    assert (refund.state, now.order.status) == (RefundState.SUCCEEDED, Status.SHIPPED)
    with pytest.raises(QuantityUnavailable):
        request_refund(now, WHOLE, STAFF, build.NOW)


def test_money_given_back_whole_makes_the_order_refunded_as_a_further_version() -> None:
    now, refund, _ = _refunded()

    decision = _succeeded(now, refund)

    after = decision.after(now)
    assert _types(decision) == ["refund_succeeded", "order_refunded"]
    assert (after.order.status, after.saga.step) == (Status.REFUNDED, Step.DONE)
    assert (after.saga.shipped_at, after.order.refunded_minor) == (None, DUE_MINOR)
    refunded = decision.entries[-1].event
    assert isinstance(refunded, OrderRefunded)
    assert refunded.due == refunded.captured == refunded.refunded == build.euros(DUE_MINOR)


def test_a_smaller_refund_changes_no_status_and_completion_no_refund() -> None:
    now, refund, _ = _refunded(wish=_by_amount(100))
    part = _succeeded(now, refund).after(now)

    early = complete(part, COMPLETE_AFTER, build.NOW + COMPLETE_AFTER - timedelta(seconds=1))
    decision = complete(part, COMPLETE_AFTER, build.NOW + COMPLETE_AFTER)
    completed = decision.after(part)
    rest, refund, _ = _refunded(completed, _by_amount(DUE_MINOR - 100))
    refunded = _succeeded(rest, refund).after(rest)

    assert not early.changes(part)
    assert _types(decision) == ["order_completed"]
    assert (completed.order.status, completed.saga.step) == (Status.COMPLETED, Step.DONE)
    assert refunded.order.status is Status.REFUNDED
    assert refunded.order.closed_at == completed.order.closed_at
    assert not complete(refunded, COMPLETE_AFTER, build.NOW + 2 * COMPLETE_AFTER).changes(refunded)


def test_a_refusal_calls_a_person_who_may_ask_again_under_a_new_key() -> None:
    now, refund, _ = _refunded()

    failed, refund, failure = _failed(now, refund)
    decision = retry(failed, refund, STAFF, build.NOW)
    again = decision.after(failed)
    success = _succeeded(again, again.refunds[0])

    assert _types(failure) == ["refund_failed", "attention_raised"]
    assert failed.order.attention == (REFUND_FAILED,)
    assert failed.refundable_minor == 0
    assert _types(decision) == ["refund_requested", "attention_cleared"]
    (command,) = decision.commands
    assert isinstance(command, RefundPayment)
    assert (command.refund_id, command.attempt) == (refund.id, 2)
    assert success.order.status is Status.REFUNDED


def test_a_person_may_pay_it_back_elsewhere() -> None:
    now, refund, _ = _refunded()
    failed, refund, _ = _failed(now, refund)

    decision = settle_manually(failed, refund, STAFF, build.NOW)

    assert _types(decision) == ["refund_succeeded", "order_refunded", "attention_cleared"]
    first = decision.entries[0]
    assert isinstance(first.event, OrderRefundSucceeded)
    assert (first.event.settled_manually, first.actor, decision.commands) == (True, STAFF, ())
    assert decision.order.refunded_minor == 0


def test_the_flag_stays_while_another_refund_is_still_failed() -> None:
    now, first, _ = _refunded(wish=_by_amount(100))
    now, second, _ = _refunded(now, _by_amount(200))
    for refund in (first, second):
        now, _, _ = _failed(now, refund)

    one_left = settle_manually(now, now.refunds[0], STAFF, build.NOW).after(now)
    none_left = settle_manually(one_left, one_left.refunds[1], STAFF, build.NOW)

    assert one_left.order.attention == (REFUND_FAILED,)
    assert none_left.order.attention == ()


@pytest.mark.parametrize("decide", [retry, settle_manually])
def test_only_a_failed_refund_is_decided_about(decide: object) -> None:
    assert callable(decide)
    now, refund, _ = _refunded()

    with pytest.raises(IllegalRefundStep) as refusal:
        decide(now, refund, STAFF, build.NOW)

    assert refusal.value.extensions() == {
        "refund_state": "pending",
        "allowed": ["failed", "succeeded"],
    }


def test_a_refund_is_late_until_money_and_stock_are_back() -> None:
    now, refund, _ = _refunded()

    late = flag_if_late(now, build.NOW + REFUND_LATE_AFTER).after(now)
    paid = _succeeded(late, refund).after(late)
    answer = build.stock_has_returned(now.order.id, refund.id)
    back = on_stock_returned(paid, answer, build.NOW).after(paid)

    flags = [each.order.attention for each in (late, paid, back)]
    assert flags == [(STEP_LATE,), (STEP_LATE,), ()]
    assert not back.refunds[0].waiting
