"""Creates a product, or replaces the one the caller has seen."""

from libs.domain.orders.product_errors import ProductVersionMismatch, UnknownProduct
from libs.domain.orders.sql import products
from libs.domain.orders.sql.products import ProductRow, ProductValues
from libs.foundation.database.transaction import Transaction


async def create_product(tx: Transaction, sku: str, values: ProductValues) -> ProductRow:
    """Create the product; raises ProductVersionMismatch when there is one."""
    created = await products.insert(tx, sku, values)
    if created is None:
        current = await read_product(tx, sku)
        raise ProductVersionMismatch(sku, current.version)
    return created


async def replace_product(
    tx: Transaction, sku: str, values: ProductValues, expected_version: int | None
) -> ProductRow:
    """Replace the product of the expected version, of any if None."""
    updated = await products.update(tx, sku, values, expected_version)
    if updated is None:
        current = await read_product(tx, sku)
        raise ProductVersionMismatch(sku, current.version)
    return updated


async def read_product(tx: Transaction, sku: str) -> ProductRow:
    row = await products.read(tx, sku)
    if row is None:
        raise UnknownProduct(sku)
    return row
