"""What each answer does at each step of the saga: a step, a recorded no-op, or a refusal."""

from collections.abc import Callable
from datetime import timedelta
from enum import Enum
from uuid import UUID

import pytest
from msgspec.structs import replace

from libs.contracts.inventory import ReleaseStock
from libs.contracts.payments import AuthorisePayment, ReducePayment
from libs.domain.orders import answers
from libs.domain.orders.attention import PAYMENT_UNRESOLVED, STEP_LATE, flag_if_late
from libs.domain.orders.errors import ImpossibleAnswer
from libs.domain.orders.order import RejectionReason
from libs.domain.orders.payment_unresolved import on_payment_unresolved
from libs.domain.orders.saga import (
    AUTHORISE_GIVEN_UP_AFTER,
    Decision,
    Saga,
    Situation,
    Step,
)
from libs.domain.orders.status import Status
from libs.testkit import build

Deciding = Callable[[Situation], Decision]


class Effect(Enum):
    STEP = "step"
    NOTHING = "nothing"
    REFUSED = "refused"


def _reserved(now: Situation) -> Decision:
    return answers.on_stock_reserved(now, build.stock_reserved(now.order.id), build.NOW)


def _short(now: Situation) -> Decision:
    return answers.on_stock_rejected(now, build.stock_rejected(now.order.id), build.NOW)


def _superseded(now: Situation) -> Decision:
    answer = build.stock_rejected(now.order.id, "superseded")
    return answers.on_stock_rejected(now, answer, build.NOW)


def _authorised(now: Situation) -> Decision:
    answer = build.payment_authorised(now.order.id, now.order.total_minor)
    return answers.on_payment_authorised(now, answer, build.NOW)


def _declined(now: Situation) -> Decision:
    return answers.on_payment_declined(now, build.payment_declined(now.order.id), build.NOW)


def _never_authorised(now: Situation) -> Decision:
    answer = build.payment_declined(now.order.id, "superseded")
    return answers.on_payment_declined(now, answer, build.NOW)


def _released(now: Situation) -> Decision:
    answer = build.stock_released(now.order.id, now.saga.release_id)
    return answers.on_stock_released(now, answer, build.NOW)


def _reduced(now: Situation) -> Decision:
    answer = build.payment_reduced(now.order.id, now.saga.reduction_id)
    return answers.on_payment_reduced(now, answer, build.NOW)


def _unresolved(now: Situation) -> Decision:
    return on_payment_unresolved(now, build.payment_unresolved(now.order.id), build.NOW)


S, N, R = Effect.STEP, Effect.NOTHING, Effect.REFUSED
STEPS = (Step.RESERVE, Step.AUTHORISE, Step.CONFIRMED, Step.SHIPPED, Step.COMPENSATE, Step.DONE)
TABLE: dict[Deciding, tuple[Effect, ...]] = {
    # Answer           reserve, authorise, confirmed, shipped, compensate, done
    _reserved: (S, N, N, N, N, N),
    _short: (S, R, R, R, N, N),
    _superseded: (R, R, R, R, N, N),
    _authorised: (R, S, N, N, N, N),
    _declined: (R, S, R, R, N, N),
    _never_authorised: (R, R, R, R, N, N),
    _released: (R, R, R, R, S, N),
    _reduced: (R, R, R, R, S, N),
    _unresolved: (R, S, N, N, S, N),
}
STATUS = {
    Step.RESERVE: Status.PENDING,
    Step.AUTHORISE: Status.PENDING,
    Step.CONFIRMED: Status.CONFIRMED,
    Step.SHIPPED: Status.SHIPPED,
    Step.COMPENSATE: Status.CANCELLED,
    Step.DONE: Status.CANCELLED,
}
CASES = [
    pytest.param(decide, step, effect, id=f"{decide.__name__}-{step}")
    for decide, effects in TABLE.items()
    for step, effect in zip(STEPS, effects, strict=True)
]


@pytest.mark.parametrize(("decide", "step", "effect"), CASES)
def test_each_answer_at_each_step_moves_does_nothing_or_is_refused(
    decide: Deciding, step: Step, effect: Effect
) -> None:
    now = build.situation(step, STATUS[step])

    if effect is Effect.REFUSED:
        with pytest.raises(ImpossibleAnswer):
            decide(now)
    else:
        assert decide(now).changes(now) is (effect is Effect.STEP)


@pytest.mark.parametrize("decide", TABLE, ids=lambda decide: decide.__name__)
@pytest.mark.parametrize("step", Step)
def test_no_answer_is_explained_by_an_order_that_asked_for_nothing(
    decide: Deciding, step: Step
) -> None:
    now = build.situation(step, STATUS[step])
    silent = replace(now, saga=Saga(order_id=now.order.id, step=step))

    with pytest.raises(ImpossibleAnswer):
        decide(silent)


def test_held_stock_leads_to_the_payment() -> None:
    now = build.situation(Step.RESERVE, Status.PENDING)

    decision = _reserved(now)

    assert decision.commands == (
        AuthorisePayment(
            order_id=now.order.id,
            amount=now.order.total,
            payment_source=build.SOURCE,
            external_reference=now.order.external_reference,
            deadline_at=build.NOW + AUTHORISE_GIVEN_UP_AFTER,
        ),
    )
    assert decision.order == now.order
    assert (decision.saga.step, decision.saga.payment_source) == (Step.AUTHORISE, None)


def test_held_stock_confirms_an_order_that_costs_nothing() -> None:
    now = build.situation(Step.RESERVE, Status.PENDING, [build.line(total_minor=0)])

    decision = _reserved(now)

    assert decision.order.status is Status.CONFIRMED
    assert (decision.saga.step, decision.commands) == (Step.CONFIRMED, ())


def test_a_shortage_rejects_and_undoes_whatever_is_in_flight() -> None:
    now = build.situation(Step.RESERVE, Status.PENDING)

    decision = _short(now)

    assert decision.order.status is Status.REJECTED
    assert decision.commands == (
        ReleaseStock(order_id=now.order.id, release_id=_some(decision.saga.release_id)),
        ReducePayment(
            order_id=now.order.id,
            reduction_id=_some(decision.saga.reduction_id),
            payment_source=build.SOURCE,
        ),
    )


def test_a_decline_undoes_without_sending_the_source_again() -> None:
    now = build.situation(Step.AUTHORISE, Status.PENDING)

    decision = _declined(now)

    sources = [
        command.payment_source
        for command in decision.commands
        if isinstance(command, ReducePayment)
    ]
    assert sources == [None]


@pytest.mark.parametrize(
    ("decline_code", "reason", "shown"),
    [
        ("insufficient_funds", RejectionReason.PAYMENT_DECLINED, "insufficient_funds"),
        ("timed_out", RejectionReason.TIMED_OUT, None),
    ],
)
def test_a_decline_is_told_from_a_provider_that_did_nothing(
    decline_code: str, reason: RejectionReason, shown: str | None
) -> None:
    now = build.situation(Step.AUTHORISE, Status.PENDING)
    answer = build.payment_declined(now.order.id, decline_code)

    decision = answers.on_payment_declined(now, answer, build.NOW)

    assert decision.order.rejection is not None
    assert decision.order.rejection.reason is reason
    assert decision.order.rejection.decline_code == shown


def test_an_authorisation_below_the_total_is_refused() -> None:
    now = build.situation(Step.AUTHORISE, Status.PENDING)
    answer = build.payment_authorised(now.order.id, now.order.total_minor - 1)

    with pytest.raises(ImpossibleAnswer):
        answers.on_payment_authorised(now, answer, build.NOW)


def test_an_answer_to_another_compensation_is_refused() -> None:
    now = build.situation(Step.COMPENSATE, Status.CANCELLED)

    with pytest.raises(ImpossibleAnswer):
        answers.on_stock_released(now, build.stock_released(now.order.id, None), build.NOW)
    with pytest.raises(ImpossibleAnswer):
        answers.on_payment_reduced(now, build.payment_reduced(now.order.id, None), build.NOW)


def test_the_saga_is_done_when_both_compensations_are() -> None:
    now = build.situation(Step.COMPENSATE, Status.REJECTED)

    once = _released(now)
    twice = _reduced(replace(now, order=once.order, saga=once.saga))

    assert (once.saga.step, twice.saga.step) == (Step.COMPENSATE, Step.DONE)
    assert twice.saga.deadline_at is None


def test_only_money_that_was_given_back_makes_a_version() -> None:
    now = build.situation(Step.COMPENSATE, Status.CANCELLED)
    answer = build.payment_reduced(now.order.id, now.saga.reduction_id, given_back_minor=2_000)

    given_back = answers.on_payment_reduced(now, answer, build.NOW)
    nothing_held = _reduced(now)

    assert [entry.event.type for entry in given_back.entries] == ["orders.payment_released.v1"]
    assert given_back.order.released_minor == 2_000
    assert nothing_held.entries == ()


def test_a_late_step_is_flagged_once_and_cleared_when_it_passes() -> None:
    now = build.situation(Step.AUTHORISE, Status.PENDING)
    due = replace(now, saga=replace(now.saga, deadline_at=build.NOW))
    early = flag_if_late(due, build.NOW - timedelta(seconds=1))

    flagged = flag_if_late(due, build.NOW)
    again = flag_if_late(replace(due, order=flagged.order, saga=flagged.saga), build.NOW)
    passed = _authorised(replace(due, order=flagged.order, saga=flagged.saga))

    assert early.entries == again.entries == ()
    assert flagged.order.attention == (STEP_LATE,)
    assert [entry.event.type for entry in passed.entries] == [
        "orders.order_confirmed.v1",
        "orders.attention_cleared.v1",
    ]
    assert [entry.event.version for entry in passed.entries] == [3, 4]
    assert passed.order.attention == ()


def test_an_unresolved_payment_is_flagged_until_its_outcome_is_known() -> None:
    now = build.situation(Step.AUTHORISE, Status.PENDING)

    flagged = _unresolved(now)
    again = _unresolved(replace(now, order=flagged.order))
    known = _declined(replace(now, order=flagged.order))

    assert flagged.order.attention == (PAYMENT_UNRESOLVED,)
    assert again.order == flagged.order
    assert known.order.attention == ()


def _some(value: UUID | None) -> UUID:
    assert value is not None
    return value
