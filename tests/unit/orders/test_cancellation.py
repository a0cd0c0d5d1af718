"""Cancelling a whole order: its exact value, and what is sent to undo it."""

import pytest
from msgspec.structs import replace

from libs.contracts.inventory import ReleaseStock
from libs.contracts.payments import ReducePayment
from libs.domain.orders.attention import STEP_LATE
from libs.domain.orders.cancellation import CancellationReason, cancel
from libs.domain.orders.order import Line
from libs.domain.orders.saga import Decision, Situation, Step
from libs.domain.orders.status import IllegalTransition, Status
from libs.domain.orders.timeline import Actor, ActorKind
from libs.testkit import build

STAFF = Actor(kind=ActorKind.STAFF, id="s_1")
LINES = (build.line("TEE", 3, 1_000), build.line("MUG", 7, 999, line_no=2))


def _cancelled(now: Situation) -> Decision:
    decision, _ = cancel(now, CancellationReason.CUSTOMER_REQUEST, STAFF, build.NOW)
    return decision


def _with(now: Situation, lines: tuple[Line, ...], shipping_minor: int) -> Situation:
    order = replace(
        now.order, shipping_total_minor=shipping_minor, total_minor=1_999 + shipping_minor
    )
    return replace(now, order=order, lines=lines)


@pytest.mark.parametrize("step", [Step.RESERVE, Step.AUTHORISE, Step.CONFIRMED])
def test_the_value_is_everything_the_order_costs(step: Step) -> None:
    status = Status.CONFIRMED if step is Step.CONFIRMED else Status.PENDING
    now = _with(build.situation(step, status), LINES, shipping_minor=490)

    decision, cancellation = cancel(now, CancellationReason.OTHER, STAFF, build.NOW)

    assert cancellation.value_minor == now.order.total_minor == 2_489
    assert [line.value.amount for line in cancellation.lines] == [1_000, 999]
    assert [line.cancelled for line in decision.lines] == [3, 7]


def test_it_is_final_at_once_and_sends_what_undoes_it() -> None:
    decision = _cancelled(build.situation(Step.CONFIRMED, Status.CONFIRMED))

    assert decision.order.status is Status.CANCELLED
    assert [type(command) for command in decision.commands] == [ReleaseStock, ReducePayment]
    assert (decision.entries[0].actor, decision.entries[0].reason) == (STAFF, "customer_request")


@pytest.mark.parametrize(("step", "source"), [(Step.RESERVE, build.SOURCE), (Step.AUTHORISE, None)])
def test_the_source_is_sent_only_if_authorise_never_was(step: Step, source: object) -> None:
    decision = _cancelled(build.situation(step, Status.PENDING))

    (reduction,) = [each for each in decision.commands if isinstance(each, ReducePayment)]
    assert reduction.payment_source == source


def test_nothing_is_undone_that_was_never_asked_for() -> None:
    now = build.situation(Step.CONFIRMED, Status.CONFIRMED, [build.line(total_minor=0)])
    untracked = replace(now, saga=replace(now.saga, reserve_sent=False))

    decision = _cancelled(untracked)

    assert decision.commands == ()
    assert (decision.saga.step, decision.saga.deadline_at) == (Step.DONE, None)


def test_a_late_step_is_no_longer_late_once_the_order_is_cancelled() -> None:
    now = build.situation(Step.AUTHORISE, Status.PENDING)
    late = replace(now, order=replace(now.order, attention=(STEP_LATE,)))

    decision = _cancelled(late)

    assert decision.order.attention == ()
    assert [entry.event.version for entry in decision.entries] == [2, 3]


@pytest.mark.parametrize("status", [Status.REJECTED, Status.CANCELLED, Status.SHIPPED])
def test_a_closed_or_shipped_order_is_not_cancelled(status: Status) -> None:
    with pytest.raises(IllegalTransition):
        _cancelled(build.situation(Step.DONE, status))
