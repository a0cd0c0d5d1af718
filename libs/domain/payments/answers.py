"""What is told of an operation once it is over; a repeated command gets the same words."""

from libs.contracts.payments import (
    CaptureFailed,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEvent,
    PaymentUnresolved,
    RefundFailed,
    RefundSucceeded,
)
from libs.domain.payments.operation import Kind, Operation, OperationState
from libs.domain.payments.payment import Payment


def answer_of(payment: Payment, operation: Operation) -> PaymentEvent | None:
    """Return what a capture or refund came to; None while that is open."""
    match operation.state:
        case OperationState.SUCCEEDED:
            return success_of(payment, operation)
        case OperationState.DECLINED | OperationState.FAILED:
            return failure_of(operation)
        case OperationState.MANUAL:
            return unresolved(operation, operation.outcome or "other")
        case _:
            return None


def success_of(payment: Payment, operation: Operation) -> PaymentEvent | None:
    """Say that it is done; what ends a reduction is told by the reduction's own answer."""
    match operation.kind:
        case Kind.AUTHORISE:
            return authorised(payment)
        case Kind.CAPTURE:
            return PaymentCaptured(
                order_id=operation.order_id,
                shipment_id=operation.subject_id,
                amounts=payment.amounts,
            )
        case Kind.REFUND:
            return RefundSucceeded(
                order_id=operation.order_id,
                refund_id=operation.subject_id,
                attempt=operation.subject_attempt,
                amounts=payment.amounts,
            )
        case Kind.RELEASE | Kind.RETURN:
            return None


def failure_of(operation: Operation) -> PaymentEvent:
    """Say that nothing was done and nothing will be, and why."""
    code = operation.outcome or "other"
    match operation.kind:
        case Kind.CAPTURE:
            return CaptureFailed(
                order_id=operation.order_id, shipment_id=operation.subject_id, code=code
            )
        case Kind.REFUND:
            return RefundFailed(
                order_id=operation.order_id,
                refund_id=operation.subject_id,
                attempt=operation.subject_attempt,
                code=code,
            )
        case Kind.AUTHORISE | Kind.RELEASE | Kind.RETURN:
            return PaymentDeclined(order_id=operation.order_id, decline_code=code)


def unresolved(operation: Operation, reason: str) -> PaymentUnresolved:
    """Say that a person must tell what became of it."""
    return PaymentUnresolved(
        order_id=operation.order_id,
        operation=operation.kind.value,
        reason=reason,
        subject_id=operation.subject_id,
    )


def authorised(payment: Payment) -> PaymentAuthorised:
    """Say that the money is held."""
    return PaymentAuthorised(
        order_id=payment.order_id,
        amounts=payment.amounts,
        capture_before=payment.capture_before,
    )
