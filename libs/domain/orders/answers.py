"""What an answer of inventory or payments does to an order: a step, a recorded no-op, or a refusal.

An answer for a passed step or a closed order changes nothing. Only one that no history explains is
refused, and parks.
"""

from datetime import datetime
from typing import Final

from msgspec.structs import replace

from libs.contracts.inventory import StockRejected, StockReleased, StockReserved
from libs.contracts.payments import (
    PaymentAuthorised,
    PaymentDeclined,
    PaymentReduced,
    PaymentUnresolved,
)
from libs.domain.orders.errors import ImpossibleAnswer
from libs.domain.orders.order import Rejection, RejectionReason
from libs.domain.orders.saga import (
    STEP_LATE,
    Decision,
    Saga,
    Situation,
    Step,
    compensate,
    confirm,
    pay_or_confirm,
    without_flags,
)
from libs.domain.orders.timeline import Entry

PAYMENT_UNRESOLVED: Final = "payment_unresolved"
_SUPERSEDED: Final = "superseded"
_TIMED_OUT: Final = "timed_out"
_UNDONE: Final = frozenset({Step.COMPENSATE, Step.DONE})

Answer = (
    StockReserved
    | StockRejected
    | StockReleased
    | PaymentAuthorised
    | PaymentDeclined
    | PaymentReduced
    | PaymentUnresolved
)


def on_stock_reserved(situation: Situation, answer: StockReserved, at: datetime) -> Decision:
    _require(situation.saga.reserve_sent, answer, "no stock was asked for")
    if situation.saga.step is not Step.RESERVE:
        return _nothing(situation)
    return without_flags(pay_or_confirm(situation, at), (STEP_LATE,), at)


def on_stock_rejected(situation: Situation, answer: StockRejected, at: datetime) -> Decision:
    saga = situation.saga
    _require(saga.reserve_sent, answer, "no stock was asked for")
    if saga.step in _UNDONE:
        return _nothing(situation)
    _require(saga.step is Step.RESERVE, answer, "its stock is held")
    _require(answer.code != _SUPERSEDED, answer, "no release was asked for")
    rejection = Rejection(reason=RejectionReason.OUT_OF_STOCK, short=answer.short)
    return _reject(situation, rejection, at)


def on_payment_authorised(
    situation: Situation, answer: PaymentAuthorised, at: datetime
) -> Decision:
    _require(situation.saga.authorise_sent, answer, "no authorisation was asked for")
    if situation.saga.step is not Step.AUTHORISE:
        return _nothing(situation)
    authorised, total = answer.amounts.authorised, situation.order.total
    _require(
        authorised.currency == total.currency and authorised.amount >= total.amount,
        answer,
        f"{authorised.amount} {authorised.currency} is less than its total",
    )
    return without_flags(confirm(situation, at, answer), (STEP_LATE, PAYMENT_UNRESOLVED), at)


def on_payment_declined(situation: Situation, answer: PaymentDeclined, at: datetime) -> Decision:
    saga = situation.saga
    _require(saga.authorise_sent, answer, "no authorisation was asked for")
    if saga.step in _UNDONE:
        return _nothing(situation)
    _require(saga.step is Step.AUTHORISE, answer, "its money is authorised")
    _require(answer.decline_code != _SUPERSEDED, answer, "no reduction was asked for")
    if answer.decline_code == _TIMED_OUT:
        rejection = Rejection(reason=RejectionReason.TIMED_OUT)
    else:
        rejection = Rejection(
            reason=RejectionReason.PAYMENT_DECLINED, decline_code=answer.decline_code
        )
    return without_flags(_reject(situation, rejection, at), (PAYMENT_UNRESOLVED,), at)


def on_stock_released(situation: Situation, answer: StockReleased, at: datetime) -> Decision:
    saga = situation.saga
    _require(answer.release_id == saga.release_id, answer, f"no release {answer.release_id}")
    if saga.release_done:
        return _nothing(situation)
    return _finish(_nothing(situation), replace(saga, release_done=True), at)


def on_payment_reduced(situation: Situation, answer: PaymentReduced, at: datetime) -> Decision:
    order, saga = situation.order, situation.saga
    _require(answer.reduction_id == saga.reduction_id, answer, f"no {answer.reduction_id}")
    if saga.reduction_done:
        return _nothing(situation)
    decision = _nothing(situation)
    if answer.amounts.released.amount + answer.amounts.returned.amount > 0:
        given_back, event = order.release_payment(answer.amounts, at)
        decision = replace(decision, order=given_back, entries=(Entry(event=event),))
    finished = _finish(decision, replace(saga, reduction_done=True), at)
    return without_flags(finished, (PAYMENT_UNRESOLVED,), at)


def on_payment_unresolved(
    situation: Situation, answer: PaymentUnresolved, at: datetime
) -> Decision:
    order, saga = situation.order, situation.saga
    reducing = saga.reduction_id is not None
    _require(saga.authorise_sent or reducing, answer, "nothing was asked of payments")
    waiting = saga.step is Step.AUTHORISE or (reducing and not saga.reduction_done)
    if not waiting or PAYMENT_UNRESOLVED in order.attention:
        return _nothing(situation)
    flagged, event = order.raise_attention(PAYMENT_UNRESOLVED, answer.operation, at)
    entry = Entry(event=event, reason=PAYMENT_UNRESOLVED)
    return Decision(order=flagged, saga=saga, entries=(entry,))


def _nothing(situation: Situation) -> Decision:
    return Decision(order=situation.order, saga=situation.saga)


def _reject(situation: Situation, rejection: Rejection, at: datetime) -> Decision:
    order, event = situation.order.reject(rejection, at)
    saga, commands = compensate(situation.saga, order.total_minor, at)
    entry = Entry(event=event, reason=rejection.reason.value)
    rejected = Decision(order=order, saga=saga, entries=(entry,), commands=commands)
    return without_flags(rejected, (STEP_LATE,), at)


def _finish(decision: Decision, saga: Saga, at: datetime) -> Decision:
    if not saga.compensated:
        return replace(decision, saga=saga)
    done = replace(saga, step=Step.DONE, deadline_at=None)
    return without_flags(replace(decision, saga=done), (STEP_LATE,), at)


def _require(condition: bool, answer: Answer, because: str) -> None:  # noqa: FBT001  # A guard.
    if not condition:
        raise ImpossibleAnswer(answer.order_id, answer.type, because)
