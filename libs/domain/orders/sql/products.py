"""orders.products: the catalogue of names and prices."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from libs.domain.orders.pricing import CatalogueItem
from libs.foundation.database.transaction import Transaction

_FOR_PLACING: Final = """
    SELECT sku, name, price_minor, currency, active, stock_tracked
    FROM orders.products
    WHERE sku = ANY(%(skus)b::text[])"""

_READ: Final = """
    SELECT sku, name, price_minor, currency, active, stock_tracked, version, created_at, updated_at
    FROM orders.products
    WHERE sku = %(sku)s::text"""

_PAGE: Final = """
    SELECT sku, name, price_minor, currency, active, stock_tracked, version, created_at, updated_at
    FROM orders.products
    WHERE sku > %(after)s::text AND (%(active)s::boolean IS NULL OR active = %(active)s::boolean)
    ORDER BY sku
    LIMIT %(rows_max)s::bigint"""

_INSERT: Final = """
    INSERT INTO orders.products (sku, name, price_minor, currency, active, stock_tracked)
    VALUES (%(sku)s::text, %(name)s::text, %(price_minor)s::bigint, %(currency)s::text,
        %(active)s::boolean, %(stock_tracked)s::boolean)
    ON CONFLICT (sku) DO NOTHING
    RETURNING sku, name, price_minor, currency, active, stock_tracked, version, created_at,
        updated_at"""

# The version in the WHERE clause decides: of two changes of one version, one finds no row.
_UPDATE: Final = """
    UPDATE orders.products
    SET name = %(name)s::text, price_minor = %(price_minor)s::bigint,
        currency = %(currency)s::text, active = %(active)s::boolean,
        stock_tracked = %(stock_tracked)s::boolean, version = version + 1, updated_at = now()
    WHERE sku = %(sku)s::text
        AND (%(expected_version)s::bigint IS NULL OR version = %(expected_version)s::bigint)
    RETURNING sku, name, price_minor, currency, active, stock_tracked, version, created_at,
        updated_at"""


class ProductRow(Struct, frozen=True, kw_only=True):
    sku: str
    name: str
    price_minor: int | None
    currency: str | None
    active: bool
    stock_tracked: bool
    version: int
    created_at: datetime
    updated_at: datetime


class ProductValues(Struct, frozen=True, kw_only=True):
    """What a client decides about a product."""

    name: str
    price_minor: int | None
    currency: str | None
    active: bool
    stock_tracked: bool


async def for_placing(tx: Transaction, skus: Sequence[str]) -> dict[str, CatalogueItem]:
    """Read what pricing needs of these SKUs; an unknown one is absent."""
    rows = await tx.fetch(CatalogueItem, _FOR_PLACING, skus=list(skus))
    return {item.sku: item for item in rows}


async def read(tx: Transaction, sku: str) -> ProductRow | None:
    return await tx.fetch_one(ProductRow, _READ, sku=sku)


async def page(
    tx: Transaction, after: str, *, active: bool | None, rows_max: int
) -> list[ProductRow]:
    """Read products behind `after` in SKU order; an empty text is before every SKU."""
    return await tx.fetch(ProductRow, _PAGE, after=after, active=active, rows_max=rows_max)


async def insert(tx: Transaction, sku: str, values: ProductValues) -> ProductRow | None:
    """Insert a product; None when there is one."""
    return await tx.fetch_one(ProductRow, _INSERT, sku=sku, **_columns(values))


async def update(
    tx: Transaction, sku: str, values: ProductValues, expected_version: int | None
) -> ProductRow | None:
    """Replace a product of the expected version, or of any if None; None when there is none."""
    return await tx.fetch_one(
        ProductRow, _UPDATE, sku=sku, expected_version=expected_version, **_columns(values)
    )


def _columns(values: ProductValues) -> dict[str, object]:
    return {
        "name": values.name,
        "price_minor": values.price_minor,
        "currency": values.currency,
        "active": values.active,
        "stock_tracked": values.stock_tracked,
    }
