"""What an operator's request is refused for; nothing was asked of anybody then."""

from uuid import UUID

from libs.foundation.errors import AppError, ErrorKind


class NothingChosen(AppError):
    """A choice that nothing narrows would take every parked key."""

    kind = ErrorKind.UNPROCESSABLE
    code = "nothing-chosen"

    def __init__(self) -> None:
        super().__init__("narrow the choice, or say all: true")


class NothingParked(AppError):
    kind = ErrorKind.CONFLICT
    code = "nothing-parked"


class AskedBefore(AppError):
    """Every chosen key is in the hands of a request that is not finished."""

    kind = ErrorKind.CONFLICT
    code = "asked-before"

    def __init__(self, request_id: UUID) -> None:
        super().__init__("a request that is not finished has asked for these keys")
        self._request_id = request_id

    def extensions(self) -> dict[str, object]:
        return {"request_id": self._request_id}


class RequestIdTaken(AppError):
    kind = ErrorKind.CONFLICT
    code = "request-id-taken"

    def __init__(self) -> None:
        super().__init__("this id belongs to another request")
