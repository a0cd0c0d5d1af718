"""A catalogue for benchmarks of placing."""

from typing import Final

from libs.foundation.database.connections import Connection

_FILL: Final = """
    INSERT INTO orders.products (sku, name, price_minor, currency, active, stock_tracked)
    SELECT 'CD-' || n, 'Disc ' || n, 617, 'EUR', true, true FROM generate_series(1, 1000) AS n"""


async def fill(connection: Connection) -> None:
    """Put the products CD-1 to CD-1000 on sale."""
    await connection.execute(_FILL)
