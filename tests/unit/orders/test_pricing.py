"""The totals of an order: what they are, and what contradicts them."""

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.money import AMOUNT_MAX
from libs.domain.orders.order_request import UNIT_PRICE_MAX, OrderRequest
from libs.domain.orders.placing_errors import (
    CurrencyMismatch,
    CurrencyNotSupported,
    PriceMissing,
    PricingMalformed,
    SkuInactive,
    TotalMismatch,
    UnknownSku,
)
from libs.domain.orders.pricing import CatalogueItem, price

SOURCE = {"source": {"provider": "simulator", "kind": "token", "value": "tok_1"}}


def eur(amount: int, currency: str = "EUR") -> dict[str, object]:
    return {"amount": amount, "currency": currency}


def item(
    sku: str = "TEE",
    price_minor: int | None = 2_000,
    currency: str = "EUR",
    *,
    active: bool = True,
) -> CatalogueItem:
    return CatalogueItem(
        sku=sku,
        name=f"The {sku}",
        price_minor=price_minor,
        currency=None if price_minor is None else currency,
        active=active,
        stock_tracked=True,
    )


def catalogue(*items: CatalogueItem) -> Mapping[str, CatalogueItem]:
    return {each.sku: each for each in items}


def request(*lines: dict[str, object], **fields: object) -> OrderRequest:
    content = {"currency": "EUR", "lines": lines, "payment": SOURCE, **fields}
    return msgspec.convert(content, OrderRequest)


def supplied(unit_price: int, quantity: int, discount: int = 0, tax: int = 0) -> dict[str, object]:
    return {
        "sku": "TEE",
        "quantity": quantity,
        "unit_price": eur(unit_price),
        "discount": eur(discount),
        "tax": eur(tax),
    }


def without(field: str, line: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in line.items() if name != field}


def test_catalogue_prices_are_added_up_and_nothing_else_is() -> None:
    asked = request({"sku": "TEE", "quantity": 3}, {"sku": "CAP", "quantity": 1})

    priced = price(asked, catalogue(item(), item("CAP", 550)))

    assert [line.total_minor for line in priced.lines] == [6_000, 550]
    assert (priced.subtotal_minor, priced.tax_minor, priced.total_minor) == (6_550, 0, 6_550)


def test_the_example_of_the_specification_comes_to_its_total() -> None:
    asked = request(
        supplied(2_000, 3, discount=600, tax=862),
        taxes_included=True,
        shipping={"method": "standard", "amount": eur(490), "tax": eur(78)},
        expected_total=eur(5_890),
    )

    priced = price(asked, catalogue(item()))

    assert priced.lines[0].total_minor == 5_400
    assert (priced.subtotal_minor, priced.discount_minor, priced.tax_minor) == (6_000, 600, 940)
    assert (priced.shipping.total_minor, priced.total_minor) == (490, 5_890)


@given(
    st.integers(0, 10**6),
    st.integers(1, 9_999),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.booleans(),
)
def test_the_total_is_what_the_lines_come_to(
    unit_price: int,
    quantity: int,
    discount: int,
    tax: int,
    taxes_included: bool,  # noqa: FBT001 - drawn.
) -> None:
    discount = min(discount, unit_price * quantity)
    net = unit_price * quantity - discount
    tax = min(tax, net) if taxes_included else tax
    expected = net if taxes_included else net + tax
    asked = request(
        supplied(unit_price, quantity, discount, tax),
        taxes_included=taxes_included,
        expected_total=eur(expected),
    )

    priced = price(asked, catalogue(item()))

    assert priced.total_minor == expected == sum(line.total_minor for line in priced.lines)


def test_a_total_that_differs_by_one_is_refused_with_todays_figures() -> None:
    asked = request({"sku": "TEE", "quantity": 3}, expected_total=eur(5_999))

    with pytest.raises(TotalMismatch) as refused:
        price(asked, catalogue(item()))

    shown = refused.value.extensions()
    assert msgspec.to_builtins(shown) == {
        "expected": eur(5_999),
        "computed": eur(6_000),
        "lines": [{"line_no": 1, "total": eur(6_000)}],
    }


@pytest.mark.parametrize(
    ("line", "fields", "pointer"),
    [
        (supplied(100, 1, discount=101), {"taxes_included": True}, "#/lines/0/discount"),
        (supplied(100, 1, tax=101), {"taxes_included": True}, "#/lines/0/tax"),
        (supplied(100, 1), {}, "#/taxes_included"),
        ({"sku": "TEE", "quantity": 1, "tax": eur(1)}, {}, "#/lines/0"),
        (
            {"sku": "TEE", "quantity": 1, "unit_price": eur(1)},
            {"taxes_included": True},
            "#/lines/0",
        ),
        ({"sku": "TEE", "quantity": 1}, {"taxes_included": True}, "#/taxes_included"),
        (supplied(UNIT_PRICE_MAX, 9_999), {"taxes_included": True}, "#/lines"),
    ],
)
def test_contradicting_figures_are_refused_with_their_place(
    line: dict[str, object], fields: dict[str, object], pointer: str
) -> None:
    asked = request(line, expected_total=eur(100), **fields)

    with pytest.raises(PricingMalformed) as refused:
        price(asked, catalogue(item()))

    assert refused.value.pointer == pointer


def test_lines_with_and_without_prices_are_not_mixed() -> None:
    asked = request(
        {"sku": "TEE", "quantity": 1},
        supplied(100, 1),
        taxes_included=True,
        expected_total=eur(2_100),
    )

    with pytest.raises(PricingMalformed) as refused:
        price(asked, catalogue(item()))

    assert refused.value.pointer == "#/lines/0"


def test_an_unknown_sku_is_named() -> None:
    asked = request({"sku": "TEE", "quantity": 1}, {"sku": "NONE", "quantity": 1})

    with pytest.raises(UnknownSku) as refused:
        price(asked, catalogue(item()))

    assert refused.value.skus == ("NONE",)


@pytest.mark.parametrize(
    ("product", "refusal"),
    [
        (item(active=False), SkuInactive),
        (item(price_minor=None), PriceMissing),
        (item(currency="USD"), CurrencyMismatch),
    ],
)
def test_a_product_that_cannot_be_sold_this_way_is_refused(
    product: CatalogueItem, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        price(request({"sku": "TEE", "quantity": 1}), catalogue(product))


def test_a_product_without_a_catalogue_price_sells_at_a_supplied_one() -> None:
    asked = request(supplied(100, 1), taxes_included=False, expected_total=eur(100))

    assert price(asked, catalogue(item(price_minor=None))).total_minor == 100


def test_a_currency_that_is_not_enabled_is_refused() -> None:
    asked = request({"sku": "TEE", "quantity": 1}, currency="XXX")

    with pytest.raises(CurrencyNotSupported):
        price(asked, catalogue(item()))


def test_another_currency_within_the_order_is_refused() -> None:
    asked = request({"sku": "TEE", "quantity": 1}, expected_total=eur(2_000, "USD"))

    with pytest.raises(CurrencyMismatch):
        price(asked, catalogue(item()))


def test_an_order_of_the_largest_total_passes() -> None:
    asked = request(
        supplied(AMOUNT_MAX // 999, 999), taxes_included=True, expected_total=eur(AMOUNT_MAX)
    )

    assert price(asked, catalogue(item())).total_minor == AMOUNT_MAX
