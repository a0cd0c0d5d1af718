"""Reads orders in the order of their changes, and none that a late commit could still precede."""

from collections.abc import Sequence

from msgspec import Struct

from libs.domain.orders.callers import is_customer
from libs.domain.orders.sql import changed_orders, orders
from libs.domain.orders.sql.changed_orders import Change
from libs.domain.orders.sql.orders import OrderRow
from libs.foundation.database.transaction import Transaction
from libs.foundation.web.authentication import Principal


class Changes(Struct, frozen=True, kw_only=True):
    """Orders as they are now, in the order in which they were found changed, and where to go on."""

    rows: Sequence[OrderRow]
    end: Change


async def read_changes(
    tx: Transaction, after: Change, customer_id: str | None, rows_max: int, caller: Principal
) -> Changes:
    """Return orders that changed behind `after`; a customer's own only."""
    if is_customer(caller):
        if customer_id not in {None, caller.name}:
            return Changes(rows=(), end=after)
        customer_id = caller.name
    # In a statement before the one that reads, whose snapshot then holds all that is settled.
    before = await changed_orders.settled_before(tx)
    found = await changed_orders.page(tx, after, before, customer_id, rows_max)
    if not found:
        return Changes(rows=(), end=after)
    by_id = {row.id: row for row in await orders.read(tx, [change.id for change in found])}
    return Changes(rows=[by_id[change.id] for change in found], end=found[-1])
