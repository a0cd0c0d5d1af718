"""payments.reductions: which reductions were asked for, and which were answered."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from libs.domain.payments.agenda import Reduction
from libs.foundation.database.transaction import Transaction

# The turn is drawn by the database, while the payment's lock is held.
_ADD: Final = """
    INSERT INTO payments.reductions (order_id, reduction_id, amount_minor)
    SELECT order_id, reduction_id, amount_minor
    FROM unnest(%(order_ids)b::uuid[], %(reduction_ids)b::uuid[], %(amounts)b::bigint[])
        AS new (order_id, reduction_id, amount_minor)
    ON CONFLICT DO NOTHING
    RETURNING reduction_id"""

_OF: Final = """
    SELECT order_id, reduction_id, amount_minor, answered_at IS NOT NULL AS answered,
        coalesce(turn, 0) AS turn
    FROM payments.reductions
    WHERE order_id = ANY(%(order_ids)b::uuid[])
    ORDER BY order_id, turn, created_at, reduction_id"""

_ANSWER: Final = """
    UPDATE payments.reductions SET answered_at = now()
    WHERE (order_id, reduction_id) IN (
            SELECT * FROM unnest(%(order_ids)b::uuid[], %(reduction_ids)b::uuid[]))
        AND answered_at IS NULL"""


async def add(tx: Transaction, reductions: Sequence[Reduction]) -> set[UUID]:
    """Note new reductions of locked payments, and return the ids of those not known before."""
    amounts = [reduction.amount_minor for reduction in reductions]
    return set(await tx.fetch(UUID, _ADD, amounts=amounts, **_columns(reductions)))


async def of(tx: Transaction, order_ids: Sequence[UUID]) -> list[Reduction]:
    """Return all reductions of locked payments, oldest first."""
    return await tx.fetch(Reduction, _OF, order_ids=list(order_ids))


async def answer(tx: Transaction, reductions: Sequence[Reduction]) -> None:
    """Note that the reductions were answered."""
    if reductions:
        await tx.execute(_ANSWER, **_columns(reductions))


def _columns(reductions: Sequence[Reduction]) -> dict[str, list[UUID]]:
    return {
        "order_ids": [reduction.order_id for reduction in reductions],
        "reduction_ids": [reduction.reduction_id for reduction in reductions],
    }
