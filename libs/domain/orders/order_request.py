"""What a checkout asks for when it places an order: bounded, and nothing the server owns."""

import re
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from libs.contracts.money import AMOUNT_MAX
from libs.foundation.web.text import (
    FREE_TEXT,
    PRINTABLE_ASCII,
    Text100,
    Text200,
    Text500,
    normalise,
    normalised,
)

UNIT_PRICE_MAX: Final = 10**10 - 1
METADATA_BYTES_MAX: Final = 4_096

Sku: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")
]
Currency: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
Country: TypeAlias = Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")]
ExternalReference: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=PRINTABLE_ASCII)
]
CustomerId: TypeAlias = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x20\x7f-\xa0]+\Z")
]
Channel: TypeAlias = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9_]+\Z")]
MetadataKey: TypeAlias = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,40}\Z")]
PostalCode: TypeAlias = Annotated[str, Meta(min_length=1, max_length=20, pattern=FREE_TEXT)]
Email: TypeAlias = Annotated[
    str, Meta(max_length=254, pattern=r"^[^\x00-\x20\x7f-\xa0@]+@[^\x00-\x20\x7f-\xa0@]+\Z")
]
_CARD_NUMBER: Final = re.compile(r"[0-9]{13,19}")


class _Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown fields are refused: a misspelt optional one would be ignored."""


class MoneyIn(_Request, frozen=True, kw_only=True):
    amount: Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]
    currency: Currency


class UnitPriceIn(_Request, frozen=True, kw_only=True):
    amount: Annotated[int, Meta(ge=0, le=UNIT_PRICE_MAX)]
    currency: Currency


class LineIn(_Request, frozen=True, kw_only=True):
    """Catalogue pricing gives SKU and quantity only; supplied pricing gives all five."""

    sku: Sku
    quantity: Annotated[int, Meta(ge=1, le=9_999)]
    unit_price: UnitPriceIn | None = None
    discount: MoneyIn | None = None
    tax: MoneyIn | None = None


class ShippingIn(_Request, frozen=True, kw_only=True):
    method: Annotated[str, Meta(min_length=1, max_length=64, pattern=PRINTABLE_ASCII)]
    amount: MoneyIn
    tax: MoneyIn


class SourceIn(_Request, frozen=True, kw_only=True):
    provider: Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,40}\Z")]
    kind: Literal["token", "authorisation"]
    value: Annotated[str, Meta(min_length=1, max_length=255, pattern=PRINTABLE_ASCII)]

    @property
    def looks_like_a_card(self) -> bool:
        """Whether the value may be a card number, which must not be held here."""
        return _CARD_NUMBER.fullmatch(self.value) is not None and _passes_luhn(self.value)


class PaymentIn(_Request, frozen=True, kw_only=True):
    source: SourceIn


class AddressIn(_Request, frozen=True, kw_only=True):
    name: Text100 | None = None
    company: Text100 | None = None
    line1: Text100 | None = None
    line2: Text100 | None = None
    city: Text100 | None = None
    region: Text100 | None = None
    postal_code: PostalCode | None = None
    country: Country

    def __post_init__(self) -> None:
        normalise(self, "name", "company", "line1", "line2", "city", "region", "postal_code")


class ContactIn(_Request, frozen=True, kw_only=True):
    """Personal data; it is stored in a table of its own and never echoed by POST."""

    email: Email | None = None
    phone: Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{1,14}\Z")] | None = None
    shipping_address: AddressIn | None = None
    billing_address: AddressIn | None = None
    note: Text500 | None = None

    def __post_init__(self) -> None:
        normalise(self, "email", "note")


class OrderRequest(_Request, frozen=True, kw_only=True):
    """The body of POST /v1/orders."""

    currency: Currency
    lines: Annotated[tuple[LineIn, ...], Meta(min_length=1, max_length=200)]
    payment: PaymentIn
    external_reference: ExternalReference | None = None
    customer_id: CustomerId | None = None
    channel: Channel | None = None
    taxes_included: bool | None = None
    shipping: ShippingIn | None = None
    expected_total: MoneyIn | None = None
    contact: ContactIn | None = None
    metadata: Annotated[dict[MetadataKey, Text200], Meta(max_length=20)] = {}

    def __post_init__(self) -> None:
        for key, value in self.metadata.items():
            self.metadata[key] = normalised(value)
        if sum(len(k) + len(v.encode()) for k, v in self.metadata.items()) > METADATA_BYTES_MAX:
            raise ValueError(f"metadata is larger than {METADATA_BYTES_MAX} bytes")

    @property
    def supplied_pricing(self) -> bool:
        """Whether the caller brings the prices; one line decides, the others must agree."""
        return any(line.unit_price is not None for line in self.lines)


def _passes_luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0  # noqa: PLR2004
