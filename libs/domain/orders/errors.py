"""Refusals of the orders context."""

from uuid import UUID

from libs.foundation.errors import AppError, ErrorKind


class UnknownOrder(AppError):
    """There is no such order, or the caller may not know of it."""

    kind = ErrorKind.NOT_FOUND
    code = "not-found"

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"there is no order {order_id}")
        self.order_id = order_id


class VersionMismatch(AppError):
    """The caller decided on a version that is no longer the current one."""

    kind = ErrorKind.PRECONDITION_FAILED
    code = "version-mismatch"

    def __init__(self, order_id: UUID, expected: int, current: int) -> None:
        super().__init__(f"order {order_id} is at version {current}, not {expected}")
        self.order_id, self.expected, self.current = order_id, expected, current

    def extensions(self) -> dict[str, object]:
        return {"version": self.current}


class ImpossibleAnswer(AppError):
    """No history of the order explains this answer: a person has to look before anything moves."""

    kind = ErrorKind.CONFLICT
    code = "impossible-answer"

    def __init__(self, order_id: UUID, answer: str, because: str) -> None:
        super().__init__(f"order {order_id} cannot have got {answer}: {because}")
        self.order_id, self.answer = order_id, answer
