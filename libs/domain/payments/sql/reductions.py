"""payments.reductions: which reductions were asked for, and which were answered."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.transaction import Transaction


class Reduction(Struct, frozen=True, kw_only=True):
    """One reduction of one payment; its lock is the payment's."""

    order_id: UUID
    reduction_id: UUID
    answered: bool = False


_ADD: Final = """
    INSERT INTO payments.reductions (order_id, reduction_id)
    SELECT order_id, reduction_id
    FROM unnest(%(order_ids)s::uuid[], %(reduction_ids)s::uuid[]) AS new (order_id, reduction_id)
    ON CONFLICT DO NOTHING
    RETURNING reduction_id"""

_OF: Final = """
    SELECT order_id, reduction_id, answered_at IS NOT NULL AS answered
    FROM payments.reductions
    WHERE order_id = ANY(%(order_ids)s::uuid[])
    ORDER BY order_id, created_at, reduction_id"""

_ANSWER: Final = """
    UPDATE payments.reductions SET answered_at = now()
    WHERE (order_id, reduction_id) IN (
            SELECT * FROM unnest(%(order_ids)s::uuid[], %(reduction_ids)s::uuid[]))
        AND answered_at IS NULL"""


async def add(tx: Transaction, reductions: Sequence[Reduction]) -> set[UUID]:
    """Note new reductions of locked payments, and return the ids of those not known before."""
    return set(await tx.fetch(UUID, _ADD, **_columns(reductions)))


async def of(tx: Transaction, order_ids: Sequence[UUID]) -> list[Reduction]:
    """Return all reductions of locked payments, oldest first."""
    return await tx.fetch(Reduction, _OF, order_ids=list(order_ids))


async def answer(tx: Transaction, reductions: Sequence[Reduction]) -> None:
    """Note that the reductions were answered."""
    if reductions:
        await tx.execute(_ANSWER, **_columns(reductions))


def unanswered(reductions: Sequence[Reduction]) -> dict[UUID, tuple[UUID, ...]]:
    """Return the reductions that still wait for their answer, by order."""
    waiting: dict[UUID, tuple[UUID, ...]] = {}
    for each in reductions:
        if not each.answered:
            waiting[each.order_id] = (*waiting.get(each.order_id, ()), each.reduction_id)
    return waiting


def _columns(reductions: Sequence[Reduction]) -> dict[str, list[UUID]]:
    return {
        "order_ids": [reduction.order_id for reduction in reductions],
        "reduction_ids": [reduction.reduction_id for reduction in reductions],
    }
