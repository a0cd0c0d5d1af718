"""A payment provider as orders sees it: one answer per operation for ever, and books of its own."""

from uuid import UUID

from msgspec import Struct

from libs.contracts.messages import Message
from libs.contracts.payments import (
    Amounts,
    AuthorisePayment,
    CaptureFailed,
    CapturePayment,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentReduced,
    PaymentUnresolved,
    ReducePayment,
    RefundFailed,
    RefundPayment,
    RefundSucceeded,
)
from libs.testkit import build

SUCCEED = "succeed"
UNRESOLVED = "unresolved"
Command = AuthorisePayment | CapturePayment | RefundPayment | ReducePayment


class Payment(Struct, kw_only=True):
    """The provider's view of one order's money; answers by what they answer."""

    answers: dict[object, Message] = {}
    reduced: bool = False
    authorised_minor: int = 0
    captured_minor: int = 0
    released_minor: int = 0
    refunded_minor: int = 0

    @property
    def amounts(self) -> Amounts:
        return build.amounts(
            self.authorised_minor,
            self.released_minor,
            captured_minor=self.captured_minor,
            refunded_minor=self.refunded_minor,
        )


class Provider:
    """Decides a new operation by `outcome`, which holds once; a known one gets its answer again."""

    def __init__(self) -> None:
        self.payments: dict[str, Payment] = {}
        self.outcomes: dict[type[Command], str] = {}

    def handle(self, command: Command) -> list[Message]:
        """Return what the command is answered, and itself once more while nobody knows."""
        payment = self.payments.setdefault(command.subject, Payment())
        if isinstance(command, ReducePayment):
            return [_reduced(payment, command)]
        name = _name(command)
        if name in payment.answers:
            return [payment.answers[name]]
        outcome = self.outcomes.pop(type(command), SUCCEED)
        if outcome == UNRESOLVED:
            return [_unresolved(command), command]
        payment.answers[name] = _decided(payment, command, outcome)
        return [payment.answers[name]]


def _decided(
    payment: Payment, command: AuthorisePayment | CapturePayment | RefundPayment, outcome: str
) -> Message:
    match command:
        case AuthorisePayment():
            return _authorised(payment, command, outcome)
        case CapturePayment() if outcome == SUCCEED:
            payment.captured_minor += command.amount.amount
            return PaymentCaptured(
                order_id=command.order_id,
                shipment_id=command.shipment_id,
                amounts=payment.amounts,
            )
        case CapturePayment():
            return CaptureFailed(
                order_id=command.order_id, shipment_id=command.shipment_id, code=outcome
            )
        case RefundPayment() if outcome == SUCCEED:
            payment.refunded_minor += command.amount.amount
            return RefundSucceeded(
                order_id=command.order_id,
                refund_id=command.refund_id,
                attempt=command.attempt,
                amounts=payment.amounts,
            )
        case RefundPayment():
            return RefundFailed(
                order_id=command.order_id,
                refund_id=command.refund_id,
                attempt=command.attempt,
                code=outcome,
            )


def _authorised(payment: Payment, command: AuthorisePayment, outcome: str) -> Message:
    code = "superseded" if payment.reduced else outcome
    if code != SUCCEED:
        return PaymentDeclined(order_id=command.order_id, decline_code=code)
    payment.authorised_minor = command.amount.amount
    return PaymentAuthorised(
        order_id=command.order_id, amounts=payment.amounts, capture_before=None
    )


def _reduced(payment: Payment, command: ReducePayment) -> PaymentReduced:
    payment.reduced = True
    payment.released_minor = payment.authorised_minor - payment.captured_minor
    return PaymentReduced(
        order_id=command.order_id, reduction_id=command.reduction_id, amounts=payment.amounts
    )


def _name(command: AuthorisePayment | CapturePayment | RefundPayment) -> object:
    match command:
        case AuthorisePayment():
            return command.order_id
        case CapturePayment():
            return command.shipment_id
        case RefundPayment():
            return (command.refund_id, command.attempt)


def _unresolved(
    command: AuthorisePayment | CapturePayment | RefundPayment,
) -> PaymentUnresolved:
    subject: UUID
    match command:
        case AuthorisePayment():
            subject, operation = command.order_id, "authorise"
        case CapturePayment():
            subject, operation = command.shipment_id, "capture"
        case RefundPayment():
            subject, operation = command.refund_id, "refund"
    return build.payment_unresolved(command.order_id, subject, operation)
