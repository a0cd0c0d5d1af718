"""What answers about a refund do: its money is back or not, its pieces are in the stock again."""

from datetime import datetime
from uuid import UUID

from libs.contracts.inventory import StockReturned
from libs.contracts.payments import RefundFailed, RefundSucceeded
from libs.domain.orders.answering import Answer, require
from libs.domain.orders.errors import ImpossibleAnswer
from libs.domain.orders.refund import REFUND_NEXT, Refund, RefundState
from libs.domain.orders.refunding import fail, stock_returned, succeed
from libs.domain.orders.saga import Decision, Situation, unchanged


def on_refund_succeeded(situation: Situation, answer: RefundSucceeded, at: datetime) -> Decision:
    refund = _refund(situation, answer, answer.refund_id)
    require(answer.attempt == refund.attempt, answer, f"attempt {refund.attempt} is the last")
    require(refund.amount_minor > 0, answer, "no money was asked for")
    if refund.state is RefundState.SUCCEEDED:
        return unchanged(situation)
    _require_next(refund, RefundState.SUCCEEDED, answer)
    return succeed(situation, refund, answer.amounts, at)


def on_refund_failed(situation: Situation, answer: RefundFailed, at: datetime) -> Decision:
    """Fail the attempt; an earlier one, or one that a person has settled, is known to have."""
    refund = _refund(situation, answer, answer.refund_id)
    require(answer.attempt <= refund.attempt, answer, f"attempt {refund.attempt} is the last")
    known = refund.failed or refund.state is RefundState.SETTLED_MANUALLY
    if answer.attempt < refund.attempt or known:
        return unchanged(situation)
    _require_next(refund, RefundState.FAILED, answer)
    return fail(situation, refund, answer.code, at)


def on_stock_returned(situation: Situation, answer: StockReturned, at: datetime) -> Decision:
    refund = _refund(situation, answer, answer.refund_id)
    require(refund.stock_sent, answer, "no piece was to come back")
    if refund.stock_done:
        return unchanged(situation)
    return stock_returned(situation, refund, at)


def _require_next(refund: Refund, wanted: RefundState, answer: Answer) -> None:
    possible = wanted in REFUND_NEXT[refund.state]
    require(possible, answer, f"refund {refund.id} is {refund.state}")


def _refund(situation: Situation, answer: Answer, refund_id: UUID) -> Refund:
    for refund in situation.refunds:
        if refund.id == refund_id:
            return refund
    raise ImpossibleAnswer(answer.order_id, answer.type, f"there is no refund {refund_id}")
