"""What each answer about a shipment or refund does in each of its states."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from libs.domain.orders.errors import ImpossibleAnswer
from libs.domain.orders.payment_unresolved import on_payment_unresolved
from libs.domain.orders.refund import Refund, RefundReason, RefundState
from libs.domain.orders.refund_answers import (
    on_refund_failed,
    on_refund_succeeded,
    on_stock_returned,
)
from libs.domain.orders.refunding import RefundWish, request_refund
from libs.domain.orders.saga import Decision, Situation
from libs.domain.orders.shipment import Shipment, ShipmentState
from libs.domain.orders.shipment_answers import (
    on_capture_failed,
    on_payment_captured,
    on_stock_shipped,
)
from libs.domain.orders.shipping import request_shipment
from libs.domain.orders.timeline import SYSTEM
from libs.foundation.ids import new_id
from libs.testkit import build
from tests.unit.orders.test_answers import Deciding, Effect

S, N, R = Effect.STEP, Effect.NOTHING, Effect.REFUSED
WISH = RefundWish(reason=RefundReason.RETURN, restock=True)


def _shipment(now: Situation) -> Shipment:
    return now.shipments[0]


def _refund(now: Situation) -> Refund:
    return now.refunds[0]


def _captured(now: Situation) -> Decision:
    answer = build.payment_captured(now.order.id, _shipment(now).id, 2_000)
    return on_payment_captured(now, answer, build.NOW)


def _not_captured(now: Situation) -> Decision:
    answer = build.capture_failed(now.order.id, _shipment(now).id)
    return on_capture_failed(now, answer, build.NOW)


def _left(now: Situation) -> Decision:
    answer = build.stock_has_shipped(now.order.id, _shipment(now).id)
    return on_stock_shipped(now, answer, build.NOW)


def _capture_unresolved(now: Situation) -> Decision:
    answer = build.payment_unresolved(now.order.id, _shipment(now).id, "capture")
    return on_payment_unresolved(now, answer, build.NOW)


SHIPMENT_STATES = ("awaiting_capture", "released", "gone", "failed")
SHIPMENTS: dict[Deciding, tuple[Effect, ...]] = {
    # Answer         awaiting_capture, released, gone (from the stock), failed
    _captured: (S, N, N, R),
    _not_captured: (S, R, R, N),
    _left: (R, S, N, R),
    _capture_unresolved: (S, N, N, N),
}


def _refund_succeeded(attempt: int) -> Deciding:
    def decide(now: Situation) -> Decision:
        answer = build.refund_succeeded(now.order.id, _refund(now).id, 2_000, attempt)
        return on_refund_succeeded(now, answer, build.NOW)

    return decide


def _refund_failed(attempt: int) -> Deciding:
    def decide(now: Situation) -> Decision:
        answer = build.refund_failed(now.order.id, _refund(now).id, attempt)
        return on_refund_failed(now, answer, build.NOW)

    return decide


def _came_back(now: Situation) -> Decision:
    answer = build.stock_has_returned(now.order.id, _refund(now).id)
    return on_stock_returned(now, answer, build.NOW)


def _refund_unresolved(now: Situation) -> Decision:
    answer = build.payment_unresolved(now.order.id, _refund(now).id, "refund")
    return on_payment_unresolved(now, answer, build.NOW)


# The refund below was retried once: its second attempt is the current one.
REFUNDS: dict[str, tuple[Deciding, tuple[Effect, ...]]] = {
    # Answer                        pending, succeeded, failed, settled_manually
    "succeeded, this attempt": (_refund_succeeded(2), (S, N, R, R)),
    "succeeded, an earlier one": (_refund_succeeded(1), (R, R, R, R)),
    "succeeded, one never asked": (_refund_succeeded(3), (R, R, R, R)),
    "failed, this attempt": (_refund_failed(2), (S, R, N, N)),
    "failed, an earlier one": (_refund_failed(1), (N, N, N, N)),
    "failed, one never asked": (_refund_failed(3), (R, R, R, R)),
    "unresolved": (_refund_unresolved, (S, N, N, N)),
    "stock returned": (_came_back, (S, S, S, S)),
}


def _with_shipment(state: str) -> Situation:
    now = build.confirmed()
    decision, shipment = request_shipment(now, SYSTEM, build.NOW)
    now = decision.after(now)
    if state == "awaiting_capture":
        return now
    if state == "failed":
        return _not_captured(now).after(now)
    assert shipment.state is ShipmentState.AWAITING_CAPTURE
    now = _captured(now).after(now)
    return now if state == "released" else _left(now).after(now)


def _with_refund(state: RefundState) -> Situation:
    now = build.shipped()
    decision, _ = request_refund(now, WISH, SYSTEM, build.NOW)
    now = decision.after(now)
    failed = state in {RefundState.FAILED, RefundState.SETTLED_MANUALLY}
    refund = replace(
        _refund(now), state=state, attempt=2, failure_code="account_closed" if failed else None
    )
    return replace(now, refunds=(refund,))


def _check(decide: Callable[[Situation], Decision], now: Situation, effect: Effect) -> None:
    if effect is Effect.REFUSED:
        with pytest.raises(ImpossibleAnswer):
            decide(now)
    else:
        assert decide(now).changes(now) is (effect is Effect.STEP)


@pytest.mark.parametrize(
    ("decide", "state", "effect"),
    [
        pytest.param(decide, state, effect, id=f"{decide.__name__}-{state}")
        for decide, effects in SHIPMENTS.items()
        for state, effect in zip(SHIPMENT_STATES, effects, strict=True)
    ],
)
def test_each_answer_about_a_shipment_moves_does_nothing_or_is_refused(
    decide: Deciding, state: str, effect: Effect
) -> None:
    _check(decide, _with_shipment(state), effect)


@pytest.mark.parametrize(
    ("decide", "state", "effect"),
    [
        pytest.param(decide, state, effect, id=f"{name}-{state}")
        for name, (decide, effects) in REFUNDS.items()
        for state, effect in zip(RefundState, effects, strict=True)
    ],
)
def test_each_answer_about_a_refund_moves_does_nothing_or_is_refused(
    decide: Deciding, state: RefundState, effect: Effect
) -> None:
    _check(decide, _with_refund(state), effect)


def test_a_return_is_recorded_once() -> None:
    now = _with_refund(RefundState.SUCCEEDED)
    back = _came_back(now).after(now)

    assert not _came_back(back).changes(back)


def test_an_answer_about_what_was_never_asked_is_refused() -> None:
    now = build.shipped([build.line("GIFT", 1, 0, stock_tracked=False)])
    order_id, shipment_id = now.order.id, _shipment(now).id

    for decide in (
        lambda: on_payment_captured(
            now, build.payment_captured(order_id, shipment_id, 0), build.NOW
        ),
        lambda: on_payment_captured(now, build.payment_captured(order_id, new_id(), 0), build.NOW),
        lambda: on_stock_shipped(now, build.stock_has_shipped(order_id, shipment_id), build.NOW),
        lambda: on_refund_failed(now, build.refund_failed(order_id, new_id()), build.NOW),
        lambda: on_stock_returned(now, build.stock_has_returned(order_id, new_id()), build.NOW),
        lambda: on_payment_unresolved(now, build.payment_unresolved(order_id, new_id()), build.NOW),
    ):
        with pytest.raises(ImpossibleAnswer):
            decide()


def test_money_below_what_is_due_releases_nothing() -> None:
    now = _with_shipment("awaiting_capture")
    answer = build.payment_captured(now.order.id, _shipment(now).id, 1_999)

    with pytest.raises(ImpossibleAnswer):
        on_payment_captured(now, answer, build.NOW)
