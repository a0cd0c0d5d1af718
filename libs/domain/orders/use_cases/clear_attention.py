"""Takes a flag away that a person has looked at."""

from uuid import UUID

from libs.domain.orders.attention import clear_flag
from libs.domain.orders.order import Order
from libs.domain.orders.timeline import Actor
from libs.domain.orders.use_cases.advance_sagas import store
from libs.domain.orders.use_cases.held_order import hold_order
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction


async def clear_attention(
    tx: Transaction, order_id: UUID, code: str, expected_version: int | None, actor: Actor
) -> Order:
    """Return the order as it is then; raises UnknownOrder, UnknownPart and VersionMismatch."""
    locked, situation = await hold_order(tx, order_id, expected_version, actor)
    decision = clear_flag(situation, code, actor, utc_now())
    await store(tx, locked, [decision])
    return decision.order
