"""The totals of an order: integers only, no rate, no percentage, no division."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from libs.contracts.money import AMOUNT_MAX, EXPONENTS, Money
from libs.domain.orders.order_request import LineIn, MoneyIn, OrderRequest, UnitPriceIn
from libs.domain.orders.placing_errors import (
    CurrencyMismatch,
    CurrencyNotSupported,
    PriceMissing,
    PricingMalformed,
    SkuInactive,
    TotalMismatch,
    UnknownSku,
)


class CatalogueItem(Struct, frozen=True, kw_only=True):
    """What placing reads of a product; name and price are copied and never read again."""

    sku: str
    name: str
    price_minor: int | None
    currency: str | None
    active: bool
    stock_tracked: bool


class PricedLine(Struct, frozen=True, kw_only=True):
    """One line in minor units; `total_minor` is what the customer pays for it."""

    line_no: int
    sku: str
    name: str
    quantity: int
    stock_tracked: bool
    unit_price_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int

    @property
    def subtotal_minor(self) -> int:
        return self.unit_price_minor * self.quantity


class PricedShipping(Struct, frozen=True, kw_only=True):
    method: str | None = None
    amount_minor: int = 0
    tax_minor: int = 0
    total_minor: int = 0


class Priced(Struct, frozen=True, kw_only=True):
    """An order's figures; `total_minor` is the sum of the lines' totals and the shipping's."""

    currency: str
    taxes_included: bool
    lines: tuple[PricedLine, ...]
    shipping: PricedShipping
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int


_NO_SHIPPING: Final = PricedShipping()


def price(request: OrderRequest, catalogue: Mapping[str, CatalogueItem]) -> Priced:
    """Price the request by the catalogue, or check the prices it supplies."""
    if request.currency not in EXPONENTS:
        raise CurrencyNotSupported(request.currency)
    items = _items(request, catalogue)
    if request.supplied_pricing:
        priced = _supplied(request, items)
    else:
        priced = _from_catalogue(request, items)
    _check_total(request, priced)
    return priced


def _items(request: OrderRequest, catalogue: Mapping[str, CatalogueItem]) -> list[CatalogueItem]:
    unknown = {line.sku for line in request.lines if line.sku not in catalogue}
    if unknown:
        raise UnknownSku(sorted(unknown))
    items = [catalogue[line.sku] for line in request.lines]
    for item in items:
        if not item.active:
            raise SkuInactive(item.sku)
    return items


def _from_catalogue(request: OrderRequest, items: list[CatalogueItem]) -> Priced:
    for name, given in (("shipping", request.shipping), ("taxes_included", request.taxes_included)):
        if given is not None:
            raise PricingMalformed(f"#/{name}", "Only together with supplied prices")
    lines = [
        _catalogue_line(request, line_no, line, item)
        for line_no, (line, item) in enumerate(zip(request.lines, items, strict=True), 1)
    ]
    return _sum(request, lines, _NO_SHIPPING, taxes_included=True)


def _catalogue_line(
    request: OrderRequest, line_no: int, line: LineIn, item: CatalogueItem
) -> PricedLine:
    if line.discount is not None or line.tax is not None:
        raise PricingMalformed(f"#/lines/{line_no - 1}", "Only together with a unit_price")
    if item.price_minor is None or item.currency is None:
        raise PriceMissing(item.sku)
    if item.currency != request.currency:
        raise CurrencyMismatch(f"the price of {item.sku}", item.currency, request.currency)
    return PricedLine(
        line_no=line_no,
        sku=item.sku,
        name=item.name,
        quantity=line.quantity,
        stock_tracked=item.stock_tracked,
        unit_price_minor=item.price_minor,
        discount_minor=0,
        tax_minor=0,
        total_minor=item.price_minor * line.quantity,
    )


def _supplied(request: OrderRequest, items: list[CatalogueItem]) -> Priced:
    if request.taxes_included is None:
        raise PricingMalformed("#/taxes_included", "Required with supplied prices")
    if request.expected_total is None:
        raise PricingMalformed("#/expected_total", "Required with supplied prices")
    included = request.taxes_included
    lines = [
        _supplied_line(request, line_no, line, item, taxes_included=included)
        for line_no, (line, item) in enumerate(zip(request.lines, items, strict=True), 1)
    ]
    shipping = _supplied_shipping(request, taxes_included=included)
    return _sum(request, lines, shipping, taxes_included=included)


def _supplied_line(
    request: OrderRequest, line_no: int, line: LineIn, item: CatalogueItem, *, taxes_included: bool
) -> PricedLine:
    pointer = f"#/lines/{line_no - 1}"
    if line.unit_price is None or line.discount is None or line.tax is None:
        raise PricingMalformed(pointer, "Every line needs unit_price, discount and tax, or none")
    unit_price = _minor(request, line.unit_price, f"{pointer}/unit_price")
    discount = _minor(request, line.discount, f"{pointer}/discount")
    tax = _minor(request, line.tax, f"{pointer}/tax")
    subtotal = unit_price * line.quantity
    if discount > subtotal:
        raise PricingMalformed(f"{pointer}/discount", "Larger than the line's subtotal")
    net = subtotal - discount
    if taxes_included and tax > net:
        raise PricingMalformed(f"{pointer}/tax", "Larger than what it is included in")
    return PricedLine(
        line_no=line_no,
        sku=item.sku,
        name=item.name,
        quantity=line.quantity,
        stock_tracked=item.stock_tracked,
        unit_price_minor=unit_price,
        discount_minor=discount,
        tax_minor=tax,
        total_minor=net if taxes_included else net + tax,
    )


def _supplied_shipping(request: OrderRequest, *, taxes_included: bool) -> PricedShipping:
    shipping = request.shipping
    if shipping is None:
        return _NO_SHIPPING
    amount = _minor(request, shipping.amount, "#/shipping/amount")
    tax = _minor(request, shipping.tax, "#/shipping/tax")
    if taxes_included and tax > amount:
        raise PricingMalformed("#/shipping/tax", "Larger than what it is included in")
    return PricedShipping(
        method=shipping.method,
        amount_minor=amount,
        tax_minor=tax,
        total_minor=amount if taxes_included else amount + tax,
    )


def _sum(
    request: OrderRequest,
    lines: list[PricedLine],
    shipping: PricedShipping,
    *,
    taxes_included: bool,
) -> Priced:
    return Priced(
        currency=request.currency,
        taxes_included=taxes_included,
        lines=tuple(lines),
        shipping=shipping,
        subtotal_minor=sum(line.subtotal_minor for line in lines),
        discount_minor=sum(line.discount_minor for line in lines),
        tax_minor=sum(line.tax_minor for line in lines) + shipping.tax_minor,
        total_minor=sum(line.total_minor for line in lines) + shipping.total_minor,
    )


def _check_total(request: OrderRequest, priced: Priced) -> None:
    if max(priced.total_minor, priced.subtotal_minor, priced.tax_minor) > AMOUNT_MAX:
        raise PricingMalformed("#/lines", f"An amount of the order is larger than {AMOUNT_MAX}")
    expected = request.expected_total
    if expected is None:
        return
    if _minor(request, expected, "#/expected_total") != priced.total_minor:
        raise TotalMismatch(
            Money(amount=expected.amount, currency=expected.currency),
            Money(amount=priced.total_minor, currency=priced.currency),
            [Money(amount=line.total_minor, currency=priced.currency) for line in priced.lines],
        )


def _minor(request: OrderRequest, money: MoneyIn | UnitPriceIn, pointer: str) -> int:
    if money.currency != request.currency:
        raise CurrencyMismatch(pointer, money.currency, request.currency)
    return money.amount
