"""What a shop of the benchmarks sells and has on its shelves."""

from typing import Final

from libs.foundation.database.connections import Connection

HOT_SKU: Final = "HOT-1"
SKUS: Final = 1_000

_PRODUCTS: Final = """
    INSERT INTO orders.products (sku, name, price_minor, currency, active, stock_tracked)
    SELECT 'CD-' || n, 'Disc ' || n, 617, 'EUR', true, true FROM generate_series(1, 1000) AS n"""
# More than any run can sell; the ledger is not asked about by a benchmark.
_STOCK: Final = """
    INSERT INTO inventory.stock (sku, on_hand)
    SELECT 'CD-' || n, 1000000000 FROM generate_series(1, 1000) AS n
    UNION ALL SELECT 'HOT-1', 1000000000"""


async def sell(connection: Connection) -> None:
    """Put the products CD-1 to CD-1000 on sale."""
    await connection.execute(_PRODUCTS)


async def fill(connection: Connection) -> None:
    """Put the products CD-1 to CD-1000 on sale, and stock them and HOT-1."""
    await sell(connection)
    await connection.execute(_STOCK)
