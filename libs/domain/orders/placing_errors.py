"""Refusals of placing an order: each leaves nothing behind, and its key free."""

from collections.abc import Sequence
from uuid import UUID

from libs.contracts.money import Money
from libs.foundation.errors import AppError, ErrorKind


class PlacingRefused(AppError):
    """The order cannot be placed as it was asked for."""

    kind = ErrorKind.UNPROCESSABLE


class UnknownSku(PlacingRefused):
    code = "unknown-sku"

    def __init__(self, skus: Sequence[str]) -> None:
        super().__init__(f"there is no product {', '.join(skus)}")
        self.skus = tuple(skus)

    def extensions(self) -> dict[str, object]:
        return {"skus": self.skus}


class SkuInactive(PlacingRefused):
    code = "sku-inactive"

    def __init__(self, sku: str) -> None:
        super().__init__(f"{sku} is not for sale")
        self.sku = sku

    def extensions(self) -> dict[str, object]:
        return {"skus": (self.sku,)}


class PriceMissing(PlacingRefused):
    """The product has no catalogue price: only a checkout that supplies prices can sell it."""

    code = "price-missing"

    def __init__(self, sku: str) -> None:
        super().__init__(f"{sku} has no catalogue price")
        self.sku = sku

    def extensions(self) -> dict[str, object]:
        return {"skus": (self.sku,)}


class CurrencyMismatch(PlacingRefused):
    code = "currency-mismatch"

    def __init__(self, where: str, found: str, expected: str) -> None:
        super().__init__(f"{where} is in {found}, the order in {expected}")


class CurrencyNotSupported(PlacingRefused):
    code = "currency-not-supported"

    def __init__(self, currency: str) -> None:
        super().__init__(f"{currency} is not enabled")


class CardDataRefused(PlacingRefused):
    """What is given as a payment source looks like a card number, which must not be held here."""

    code = "card-data-refused"

    def __init__(self) -> None:
        super().__init__("payment.source.value looks like a card number")


class TotalMismatch(PlacingRefused):
    """The customer saw another total; never silently more, nor less."""

    code = "total-mismatch"

    def __init__(self, expected: Money, computed: Money, lines: Sequence[Money]) -> None:
        super().__init__(f"the total is {computed.amount}, not {expected.amount}")
        self.expected, self.computed, self.lines = expected, computed, tuple(lines)

    def extensions(self) -> dict[str, object]:
        lines = [
            {"line_no": line_no, "total": total} for line_no, total in enumerate(self.lines, 1)
        ]
        return {"expected": self.expected, "computed": self.computed, "lines": lines}


class PricingMalformed(PlacingRefused):
    """The figures contradict the rules of totals, or mix the two ways of pricing."""

    kind = ErrorKind.MALFORMED
    code = "malformed-request"

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__("the prices are not of the documented form")
        self.pointer, self.detail = pointer, detail

    def extensions(self) -> dict[str, object]:
        return {"errors": ({"pointer": self.pointer, "detail": self.detail},)}


class ExternalReferenceTaken(PlacingRefused):
    """An order that is not rejected has this reference: the second net under the key."""

    kind = ErrorKind.CONFLICT
    code = "external-reference-taken"

    def __init__(self, order_id: UUID | None) -> None:
        super().__init__("another order has this external_reference")
        self.order_id = order_id

    def extensions(self) -> dict[str, object]:
        return {} if self.order_id is None else {"order_id": self.order_id}
