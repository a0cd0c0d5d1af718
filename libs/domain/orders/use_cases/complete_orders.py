"""Completes orders whose last shipment was released long enough ago."""

from datetime import timedelta

from libs.domain.orders.completion import complete
from libs.domain.orders.sql import order_changes, sagas
from libs.domain.orders.use_cases.advance_sagas import situations_of, store
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction


async def complete_orders(tx: Transaction, complete_after: timedelta, orders_max: int) -> int:
    """Complete at most `orders_max` orders and return how many were looked at."""
    at = utc_now()
    shipped = await sagas.lock_shipped(tx, at - complete_after, orders_max)
    if not shipped:
        return 0
    locked = await order_changes.lock(tx, shipped)
    situations = await situations_of(tx, locked)
    decisions = [(each, complete(each, complete_after, at)) for each in situations.values()]
    await store(tx, locked, [decision for each, decision in decisions if decision.changes(each)])
    return len(shipped)
