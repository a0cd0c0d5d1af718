"""Refusals about products."""

from libs.foundation.errors import AppError, ErrorKind


class UnknownProduct(AppError):
    kind = ErrorKind.NOT_FOUND
    code = "not-found"

    def __init__(self, sku: str) -> None:
        super().__init__(f"there is no product {sku}")
        self.sku = sku


class ProductVersionMismatch(AppError):
    """The caller decided on a version that is no longer the current one."""

    kind = ErrorKind.PRECONDITION_FAILED
    code = "version-mismatch"

    def __init__(self, sku: str, current: int) -> None:
        super().__init__(f"product {sku} is at version {current}")
        self.sku, self.current = sku, current

    def extensions(self) -> dict[str, object]:
        return {"version": self.current}
