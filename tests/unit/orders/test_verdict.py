"""The one answer about an order, case by case."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.domain.orders.inspection import OrderFacts
from libs.domain.orders.refund import Refund, RefundReason, RefundState
from libs.domain.orders.saga import Saga, Step
from libs.domain.orders.shipment import Shipment, ShipmentState
from libs.domain.orders.sql.inspections import EntrySeen, OrderSeen, SagaTimes
from libs.domain.orders.status import Status
from libs.domain.orders.verdict import Standing, unknown_order, verdict_of
from libs.foundation.ids import new_id
from libs.foundation.messaging.journey.holds import Hold
from libs.testkit.build import NOW

IN_TIME: Final = NOW + timedelta(minutes=10)
PARKED: Final = Hold(code="parked", reason="orders-worker has parked it", needs_person=True)
NO_RELAY: Final = Hold(code="no_relay", reason="no relay", actions=("do this",), is_slow=True)
UNDER_WAY: Final = Hold(code="consumer_behind", reason="3 messages come before it")


def facts(
    status: Status = Status.PENDING,
    step: Step = Step.RESERVE,
    *,
    late_at: datetime | None = IN_TIME,
    attention: tuple[str, ...] = (),
    version: int = 2,
    shipments: Sequence[Shipment] = (),
    refunds: Sequence[Refund] = (),
) -> OrderFacts:
    order_id = new_id()
    undone = step is Step.COMPENSATE
    return OrderFacts(
        order=OrderSeen(
            id=order_id,
            number=100_000,
            external_reference=None,
            status=status,
            version=version,
            currency="EUR",
            total_minor=2_000,
            payment_status="none",
            attention=attention,
            rejected_for=None,
            placed_at=NOW,
            updated_at=NOW,
        ),
        saga=Saga(
            order_id=order_id,
            step=step,
            deadline_at=late_at,
            release_id=new_id() if undone else None,
            reduction_id=new_id() if undone else None,
        ),
        times=SagaTimes(started_at=NOW, updated_at=NOW),
        timeline=[
            EntrySeen(
                sequence=number,
                type="orders.noted.v1",
                at=NOW,
                actor_kind="system",
                actor_id=None,
                reason=None,
            )
            for number in (1, 2)
        ],
        shipments=shipments,
        refunds=refunds,
    )


def shipment(state: ShipmentState, **changes: object) -> Shipment:
    made = Shipment(
        id=new_id(),
        order_id=new_id(),
        state=state,
        lines=(),
        shipping_value_minor=0,
        amount_minor=2_000,
        requested_at=NOW,
        late_at=IN_TIME,
    )
    return replace(made, **changes)


def refund(state: RefundState) -> Refund:
    return Refund(
        id=new_id(),
        order_id=new_id(),
        state=state,
        reason=RefundReason.RETURN,
        lines=(),
        shipping_minor=0,
        adjustment_minor=0,
        amount_minor=2_000,
        tax_minor=0,
        requested_at=NOW,
        failure_code="card_closed" if state is RefundState.FAILED else None,
        late_at=IN_TIME,
    )


def test_an_order_that_nobody_knows_tells_what_was_tried() -> None:
    verdict = unknown_order(["order id 1", "trace 2, back to 02:00"])

    assert (verdict.standing, verdict.code) == (Standing.UNKNOWN, "unknown_order")
    assert "trace 2, back to 02:00" in verdict.reason


@pytest.mark.parametrize(
    "status", [Status.REJECTED, Status.CANCELLED, Status.COMPLETED, Status.REFUNDED]
)
def test_a_closed_order_without_anything_open_is_final(status: Status) -> None:
    verdict = verdict_of(facts(status, Step.DONE, late_at=None), [], NOW)

    assert (verdict.standing, verdict.code) == (Standing.FINAL, "final")


def test_a_confirmed_order_waits_for_people_and_a_shipped_one_for_the_clock() -> None:
    confirmed = verdict_of(facts(Status.CONFIRMED, Step.CONFIRMED, late_at=None), [], NOW)
    shipped = verdict_of(facts(Status.SHIPPED, Step.SHIPPED, late_at=None), [], NOW)

    assert (confirmed.standing, confirmed.code) == (Standing.RESTING, "waits_for_shipment")
    assert (shipped.standing, shipped.code) == (Standing.RESTING, "waits_for_completion")


@pytest.mark.parametrize(
    ("step", "code", "whom"),
    [(Step.RESERVE, "reserving", "inventory"), (Step.AUTHORISE, "authorising", "payments")],
)
def test_an_order_within_its_time_is_on_its_way(step: Step, code: str, whom: str) -> None:
    verdict = verdict_of(facts(step=step), [], NOW)

    assert (verdict.standing, verdict.code, verdict.actions) == (Standing.MOVING, code, ())
    assert whom in verdict.reason
    assert "late in 600 s" in verdict.reason


def test_what_is_merely_under_way_is_told_and_leaves_the_order_moving() -> None:
    verdict = verdict_of(facts(), [UNDER_WAY], NOW)

    assert (verdict.standing, verdict.code) == (Standing.MOVING, "reserving")
    assert "3 messages come before it" in verdict.reason


def test_what_is_slow_makes_the_order_slow_before_its_deadline() -> None:
    verdict = verdict_of(facts(), [UNDER_WAY, NO_RELAY], NOW)

    assert (verdict.standing, verdict.code) == (Standing.SLOW, "no_relay")
    assert verdict.actions == ("do this",)
    assert verdict.also == ("3 messages come before it",)


def test_a_late_step_is_explained_by_what_is_in_its_way() -> None:
    verdict = verdict_of(facts(late_at=NOW - timedelta(minutes=2)), [UNDER_WAY], NOW)

    assert (verdict.standing, verdict.code) == (Standing.SLOW, "consumer_behind")
    assert "late for 120 s" in verdict.reason


def test_a_late_step_that_nothing_explains_is_sent_again() -> None:
    now = facts(late_at=None, attention=("step_late",))

    verdict = verdict_of(now, [], NOW)

    assert (verdict.standing, verdict.code) == (Standing.STUCK, "step_late")
    assert "flagged for it" in verdict.reason
    assert verdict.actions == (
        f'orderly order resend-step {now.order.id} --reason "why"',
        f'orderly order reject {now.order.id} --reason "why"',
    )


def test_what_could_not_be_looked_at_is_not_taken_for_an_answer() -> None:
    verdict = verdict_of(facts(late_at=NOW), [], NOW, blind="the outbox keeps them no longer")

    assert "not everything could be looked at (the outbox keeps them no longer)" in verdict.reason
    assert "everything is published" not in verdict.reason


def test_what_needs_a_person_comes_first_whatever_else_is_in_the_way() -> None:
    verdict = verdict_of(facts(), [NO_RELAY, PARKED], NOW)

    assert (verdict.standing, verdict.code) == (Standing.STUCK, "parked")
    assert verdict.also == ("no relay",)


def test_a_closed_order_with_a_parked_message_is_not_final() -> None:
    verdict = verdict_of(facts(Status.REJECTED, Step.DONE, late_at=None), [PARKED], NOW)

    assert (verdict.standing, verdict.code) == (Standing.STUCK, "parked")


def test_a_cancelled_order_still_gives_back_stock_and_money() -> None:
    verdict = verdict_of(facts(Status.CANCELLED, Step.COMPENSATE), [], NOW)

    assert (verdict.standing, verdict.code) == (Standing.MOVING, "releasing")


def test_a_compensation_that_is_late_is_sent_again_and_never_rejected() -> None:
    verdict = verdict_of(facts(Status.CANCELLED, Step.COMPENSATE, late_at=NOW), [], NOW)

    assert (verdict.standing, verdict.code) == (Standing.STUCK, "step_late")
    assert [action.split()[2] for action in verdict.actions] == ["resend-step"]


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (shipment(ShipmentState.AWAITING_CAPTURE), "capturing"),
        (shipment(ShipmentState.RELEASED, stock_sent=True), "shipping"),
    ],
)
def test_a_shipment_waits_for_its_money_and_then_for_its_pieces(part: Shipment, code: str) -> None:
    now = facts(Status.CONFIRMED, Step.CONFIRMED, late_at=None, shipments=[part])

    verdict = verdict_of(now, [], NOW)

    assert (verdict.standing, verdict.code) == (Standing.MOVING, code)
    assert str(part.id) in verdict.reason


def test_a_refund_waits_for_the_provider_and_a_refused_one_for_a_person() -> None:
    pending = facts(
        Status.SHIPPED, Step.SHIPPED, late_at=None, refunds=[refund(RefundState.PENDING)]
    )
    failed = facts(Status.SHIPPED, Step.SHIPPED, late_at=None, refunds=[refund(RefundState.FAILED)])

    waiting, refused = verdict_of(pending, [], NOW), verdict_of(failed, [], NOW)

    assert (waiting.standing, waiting.code) == (Standing.MOVING, "refunding")
    assert (refused.standing, refused.code) == (Standing.STUCK, "refund_failed")
    assert "card_closed" in refused.reason
    assert refused.actions[0].endswith("/retry")


def test_money_that_could_not_be_taken_leaves_the_choice_to_a_person() -> None:
    stopped = shipment(ShipmentState.FAILED, failure_code="card_declined", late_at=None)
    now = facts(
        Status.CONFIRMED,
        Step.CONFIRMED,
        late_at=None,
        attention=("capture_failed",),
        shipments=[stopped],
    )

    verdict = verdict_of(now, [], NOW)

    assert (verdict.standing, verdict.code) == (Standing.STUCK, "capture_failed")
    assert "card_declined" in verdict.reason


def test_a_flag_whose_reason_is_gone_is_cleared_by_a_person() -> None:
    now = facts(Status.CONFIRMED, Step.CONFIRMED, late_at=None, attention=("step_late",))

    verdict = verdict_of(now, [], NOW)

    assert (verdict.standing, verdict.code) == (Standing.STUCK, "flagged")
    assert verdict.actions == (f"DELETE /v1/orders/{now.order.id}/attention/step_late",)


def test_a_timeline_with_a_gap_is_a_matter_for_a_person() -> None:
    verdict = verdict_of(facts(version=3), [], NOW)

    assert (verdict.standing, verdict.code) == (Standing.STUCK, "timeline_broken")


HOLDS: Final = st.lists(st.sampled_from([PARKED, NO_RELAY, UNDER_WAY]), max_size=4)


@given(st.sampled_from(Status), st.sampled_from(Step), HOLDS, st.sampled_from([NOW, IN_TIME]))
def test_every_order_gets_one_answer_and_nothing_in_its_way_is_left_out(
    status: Status, step: Step, holds: list[Hold], late_at: datetime
) -> None:
    now = facts(status, step, late_at=late_at)

    verdict = verdict_of(now, holds, NOW)

    told = " ".join([verdict.reason, *verdict.also])
    assert all(hold.reason in told for hold in holds)
    assert (verdict.standing is Standing.STUCK) or PARKED not in holds
    assert verdict.standing not in {Standing.FINAL, Standing.RESTING} or holds == []
