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


class PartialReductionUnsupported(AppError):
    """A reduction takes back everything that is planned; a part of it is refused."""

    kind = ErrorKind.UNPROCESSABLE
    code = "partial-reduction-unsupported"

    def __init__(self, order_id: UUID, reduction_id: UUID) -> None:
        super().__init__(f"reduction {reduction_id} of order {order_id} is only a part")
        self.order_id, self.reduction_id = order_id, reduction_id
