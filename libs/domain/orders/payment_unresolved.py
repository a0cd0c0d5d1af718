"""What an outcome that nobody could learn does: it flags the order while it is waited for."""

from datetime import datetime

from libs.contracts.payments import PaymentUnresolved
from libs.domain.orders.answering import require
from libs.domain.orders.attention import PAYMENT_UNRESOLVED, with_flag
from libs.domain.orders.saga import Decision, Situation, Step, unchanged


def on_payment_unresolved(
    situation: Situation, answer: PaymentUnresolved, at: datetime
) -> Decision:
    if not _waited_for(situation, answer):
        return unchanged(situation)
    return with_flag(unchanged(situation), PAYMENT_UNRESOLVED, answer.operation, at)


def _waited_for(situation: Situation, answer: PaymentUnresolved) -> bool:
    for shipment in situation.shipments:
        if shipment.id == answer.subject_id:
            return shipment.awaits_capture
    for refund in situation.refunds:
        if refund.id == answer.subject_id:
            return refund.pending
    saga = situation.saga
    reducing = saga.reduction_id is not None
    known = answer.subject_id in {None, answer.order_id, saga.reduction_id}
    require(known, answer, f"nothing is known of {answer.subject_id}")
    require(saga.authorise_sent or reducing, answer, "nothing was asked of payments")
    return saga.step is Step.AUTHORISE or (reducing and not saga.reduction_done)
