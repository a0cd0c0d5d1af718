"""orders.orders in the order of their changes, for those who keep a copy."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.transaction import Transaction

_SETTLED_BEFORE: Final = "SELECT orders.changes_settled_before()"

_PAGE: Final = """
    SELECT id, updated_at FROM orders.orders
    WHERE (updated_at, id) > (%(after)s::timestamptz, %(after_id)s::uuid)
        AND updated_at < %(settled_before)s::timestamptz
    ORDER BY updated_at, id LIMIT %(rows_max)s::bigint"""

# A customer has few orders: they are found first, and never the changes of everybody.
_PAGE_OF_CUSTOMER: Final = """
    WITH own AS MATERIALIZED (
        SELECT id, updated_at FROM orders.orders WHERE customer_id = %(customer_id)s::text)
    SELECT id, updated_at FROM own
    WHERE (updated_at, id) > (%(after)s::timestamptz, %(after_id)s::uuid)
        AND updated_at < %(settled_before)s::timestamptz
    ORDER BY updated_at, id LIMIT %(rows_max)s::bigint"""


class Change(Struct, frozen=True, kw_only=True):
    """The latest change of an order: a position in the order of changes."""

    updated_at: datetime
    id: UUID


async def settled_before(tx: Transaction) -> datetime:
    """Return the moment before which every change is visible to the statements that follow."""
    rows = await tx.fetch(datetime, _SETTLED_BEFORE)
    return rows[0]


async def page(
    tx: Transaction, after: Change, before: datetime, customer_id: str | None, rows_max: int
) -> list[Change]:
    """Return changes behind `after` and dated before `before`; of one customer if it is given."""
    bounds: dict[str, object] = {
        "after": after.updated_at,
        "after_id": after.id,
        "settled_before": before,
        "rows_max": rows_max,
    }
    if customer_id is None:
        return await tx.fetch(Change, _PAGE, **bounds)
    return await tx.fetch(Change, _PAGE_OF_CUSTOMER, customer_id=customer_id, **bounds)
