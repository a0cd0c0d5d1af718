"""What payments refuses to do."""

from uuid import UUID

from libs.foundation.errors import AppError, ErrorKind


class IllegalPaymentStep(AppError):
    """The payment's state does not allow the step."""

    kind = ErrorKind.CONFLICT
    code = "illegal-payment-step"

    def __init__(self, order_id: UUID, current: str, step: str) -> None:
        super().__init__(f"payment of order {order_id} is {current}; it cannot {step}")
        self.order_id, self.current, self.step = order_id, current, step


class UnknownPayment(AppError):
    """The step needs a payment, and the order never asked for one."""

    kind = ErrorKind.CONFLICT
    code = "unknown-payment"

    def __init__(self, order_id: UUID, step: str) -> None:
        super().__init__(f"order {order_id} has no payment to {step}")
        self.order_id, self.step = order_id, step


class OperationReused(AppError):
    """The same shipment, refund or reduction was asked for before, with another amount."""

    kind = ErrorKind.CONFLICT
    code = "operation-reused"

    def __init__(self, order_id: UUID, subject_id: UUID) -> None:
        super().__init__(f"{subject_id} of order {order_id} was asked for with another amount")
        self.order_id, self.subject_id = order_id, subject_id
