"""How much a contender has written, by the database's own account."""

from typing import Final, LiteralString

from libs.foundation.database.connections import Connection

_ORDERS: Final = "SELECT count(*) FROM orders.orders"
_CONFIRMED: Final = "SELECT count(*) FROM orders.orders WHERE status = 'confirmed'"
_HELD: Final = "SELECT count(*) FROM inventory.reservations WHERE state = 'held'"


async def orders(connection: Connection) -> int:
    return await _count(connection, _ORDERS)


async def confirmed(connection: Connection) -> int:
    return await _count(connection, _CONFIRMED)


async def held(connection: Connection) -> int:
    """Count reservations that hold stock."""
    return await _count(connection, _HELD)


async def _count(connection: Connection, statement: LiteralString) -> int:
    row = await (await connection.execute(statement)).fetchone()
    count: int = row[0] if row else 0
    return count
