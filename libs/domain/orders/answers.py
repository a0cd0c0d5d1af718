"""What answers on the way to confirmation, and of compensations, do: a step, a no-op, a refusal.

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
)
from libs.domain.orders.answering import require
from libs.domain.orders.attention import PAYMENT_UNRESOLVED, STEP_LATE, without_flags
from libs.domain.orders.order import Rejection, RejectionReason
from libs.domain.orders.saga import (
    Decision,
    Saga,
    Situation,
    Step,
    compensate,
    confirm,
    pay_or_confirm,
    unchanged,
)
from libs.domain.orders.timeline import SYSTEM, Actor, Entry

_SUPERSEDED: Final = "superseded"
_TIMED_OUT: Final = "timed_out"


def on_stock_reserved(situation: Situation, answer: StockReserved, at: datetime) -> Decision:
    require(situation.saga.reserve_sent, answer, "no stock was asked for")
    if situation.saga.step is not Step.RESERVE:
        return unchanged(situation)
    return without_flags(pay_or_confirm(situation, at), (STEP_LATE,), at)


def on_stock_rejected(situation: Situation, answer: StockRejected, at: datetime) -> Decision:
    saga = situation.saga
    require(saga.reserve_sent, answer, "no stock was asked for")
    if saga.release_id is not None:
        return unchanged(situation)
    require(saga.step is Step.RESERVE, answer, "its stock is held")
    require(answer.code != _SUPERSEDED, answer, "no release was asked for")
    rejection = Rejection(reason=RejectionReason.OUT_OF_STOCK, short=answer.short)
    return _reject(situation, rejection, at)


def on_payment_authorised(
    situation: Situation, answer: PaymentAuthorised, at: datetime
) -> Decision:
    require(situation.saga.authorise_sent, answer, "no authorisation was asked for")
    if situation.saga.step is not Step.AUTHORISE:
        return unchanged(situation)
    authorised, total = answer.amounts.authorised, situation.order.total
    require(
        authorised.currency == total.currency and authorised.amount >= total.amount,
        answer,
        f"{authorised.amount} {authorised.currency} is less than its total",
    )
    return without_flags(confirm(situation, at, answer), (STEP_LATE, PAYMENT_UNRESOLVED), at)


def on_payment_declined(situation: Situation, answer: PaymentDeclined, at: datetime) -> Decision:
    saga = situation.saga
    require(saga.authorise_sent, answer, "no authorisation was asked for")
    if saga.reduction_id is not None:
        return unchanged(situation)
    require(saga.step is Step.AUTHORISE, answer, "its money is authorised")
    require(answer.decline_code != _SUPERSEDED, answer, "no reduction was asked for")
    if answer.decline_code == _TIMED_OUT:
        rejection = Rejection(reason=RejectionReason.TIMED_OUT)
    else:
        rejection = Rejection(
            reason=RejectionReason.PAYMENT_DECLINED, decline_code=answer.decline_code
        )
    return without_flags(_reject(situation, rejection, at), (PAYMENT_UNRESOLVED,), at)


def reject(situation: Situation, actor: Actor, at: datetime) -> Decision:
    """Let a person give a pending order up, as the saga does when time has run out."""
    rejection = Rejection(reason=RejectionReason.TIMED_OUT)
    rejected = _reject(situation, rejection, at, actor)
    return without_flags(rejected, (PAYMENT_UNRESOLVED,), at)


def on_stock_released(situation: Situation, answer: StockReleased, at: datetime) -> Decision:
    saga = situation.saga
    require(answer.release_id == saga.release_id, answer, f"no release {answer.release_id}")
    if saga.release_done:
        return unchanged(situation)
    return _finish(unchanged(situation), replace(saga, release_done=True), at)


def on_payment_reduced(situation: Situation, answer: PaymentReduced, at: datetime) -> Decision:
    order, saga = situation.order, situation.saga
    require(answer.reduction_id == saga.reduction_id, answer, f"no {answer.reduction_id}")
    if saga.reduction_done:
        return unchanged(situation)
    decision = unchanged(situation)
    if answer.amounts.released.amount + answer.amounts.returned.amount > 0:
        given_back, event = order.release_payment(answer.amounts, at)
        decision = replace(decision, order=given_back, entries=(Entry(event=event),))
    finished = _finish(decision, replace(saga, reduction_done=True), at)
    return without_flags(finished, (PAYMENT_UNRESOLVED,), at)


def _reject(
    situation: Situation, rejection: Rejection, at: datetime, actor: Actor = SYSTEM
) -> Decision:
    order, event = situation.order.reject(rejection, at)
    saga, commands = compensate(situation.saga, order.total_minor, at)
    entry = Entry(event=event, actor=actor, reason=rejection.reason.value)
    rejected = Decision(order=order, saga=saga, entries=(entry,), commands=commands)
    return without_flags(rejected, (STEP_LATE,), at)


def _finish(decision: Decision, saga: Saga, at: datetime) -> Decision:
    if not saga.compensated:
        return replace(decision, saga=saga)
    done = replace(saga, step=Step.DONE, deadline_at=None)
    return without_flags(replace(decision, saga=done), (STEP_LATE,), at)
