"""Flags orders whose current step is late; no clock rejects an order."""

from libs.domain.orders.attention import flag_if_late
from libs.domain.orders.sql import order_changes, sagas
from libs.domain.orders.use_cases.advance_sagas import situations_of, store
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction


async def flag_late_steps(tx: Transaction, orders_max: int) -> int:
    """Flag at most `orders_max` orders and return how many were looked at."""
    at = utc_now()
    due = await sagas.lock_due(tx, at, orders_max)
    if not due:
        return 0
    locked = await order_changes.lock(tx, due)
    situations = await situations_of(tx, locked)
    decisions = [(each, flag_if_late(each, at)) for each in situations.values()]
    await store(tx, locked, [decision for each, decision in decisions if decision.changes(each)])
    return len(due)
