"""orders.order_lines: the lines of locked orders and their counters."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from libs.domain.orders.order import Line
from libs.foundation.database.transaction import Transaction

_READ: Final = """
    SELECT order_id, line_no, sku, name, quantity, stock_tracked, tax_minor, total_minor, shipped,
        cancelled, refunded, restocked
    FROM orders.order_lines
    WHERE order_id = ANY(%(order_ids)b::uuid[])
    ORDER BY order_id, line_no"""

_SAVE: Final = """
    UPDATE orders.order_lines AS l
    SET shipped = c.shipped, cancelled = c.cancelled, refunded = c.refunded,
        restocked = c.restocked
    FROM unnest(%(order_id)b::uuid[], %(line_no)b::bigint[], %(shipped)b::bigint[],
        %(cancelled)b::bigint[], %(refunded)b::bigint[], %(restocked)b::bigint[])
        AS c (order_id, line_no, shipped, cancelled, refunded, restocked)
    WHERE l.order_id = c.order_id AND l.line_no = c.line_no"""


class _Row(Line, frozen=True, kw_only=True):
    order_id: UUID


async def read(tx: Transaction, order_ids: Sequence[UUID]) -> dict[UUID, tuple[Line, ...]]:
    """Read the lines of locked orders, by order id and in line order."""
    lines: dict[UUID, tuple[Line, ...]] = dict.fromkeys(order_ids, ())
    for row in await tx.fetch(_Row, _READ, order_ids=list(order_ids)):
        lines[row.order_id] += (row,)
    return lines


async def save(tx: Transaction, lines: Sequence[tuple[UUID, Line]]) -> None:
    """Save the counters of lines of locked orders."""
    if not lines:
        return
    await tx.execute(
        _SAVE,
        order_id=[order_id for order_id, _ in lines],
        line_no=[line.line_no for _, line in lines],
        shipped=[line.shipped for _, line in lines],
        cancelled=[line.cancelled for _, line in lines],
        refunded=[line.refunded for _, line in lines],
        restocked=[line.restocked for _, line in lines],
    )
