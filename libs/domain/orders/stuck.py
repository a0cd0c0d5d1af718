"""Which orders need a look: what each place knows of them, put into one page."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.domain.orders.sql import inspections
from libs.domain.orders.sql.inspections import OrderHead
from libs.foundation.database.transaction import Transaction

FIRST: Final = UUID(int=0)
# Keys of other topics are SKUs.
KEYS: Final = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


class Reason(Struct, frozen=True, kw_only=True):
    """Why the order with this key needs a look."""

    key: str
    why: str


class StuckOrder(Struct, frozen=True, kw_only=True):
    """One order and everything that is known to be wrong with it."""

    order: OrderHead
    why: list[str]


class StuckOrders(Struct, frozen=True, kw_only=True):
    """A page in the order of the ids, which is about that of placing; `after` asks for the next."""

    orders: list[StuckOrder]
    after: str | None


class Page(Struct, frozen=True, kw_only=True):
    """Keys with their reasons, up to where every source is known completely."""

    why: Mapping[str, list[str]]
    after: str | None


async def reasons_of_orders(
    tx: Transaction, at: datetime, after: UUID, rows_max: int
) -> list[list[Reason]]:
    """Return what orders itself knows: flags, and steps past their time that are not flagged."""
    flagged = await inspections.flagged(tx, after, rows_max)
    late = await inspections.late(tx, at, after, rows_max)
    return [
        [
            Reason(key=str(each.order_id), why=f"flag {', '.join(each.attention)}")
            for each in flagged
        ],
        [
            Reason(key=str(each.order_id), why=f"{each.step} is late since {each.late_at}")
            for each in late
        ],
    ]


def page_of(sources: Sequence[Sequence[Reason]], limit: int, rows_max: int) -> Page:
    """Merge sources that are each in order of the keys, and `rows_max` long where there is more.

    Beyond the end of a source that goes on, nobody knows what else it has: the page ends there.
    """
    ends = [source[-1].key for source in sources if len(source) >= rows_max]
    end = min(ends, default=None)
    why: dict[str, list[str]] = {}
    for reason in sorted((one for source in sources for one in source), key=lambda one: one.key):
        if end is not None and reason.key > end:
            break
        if len(why) == limit and reason.key not in why:
            return Page(why=why, after=list(why)[-1])
        why.setdefault(reason.key, []).append(reason.why)
    return Page(why=why, after=end)


async def with_heads(tx: Transaction, page: Page) -> StuckOrders:
    """Show the orders of a page; a key that is no order's is left out."""
    heads = await inspections.heads(tx, [UUID(key) for key in page.why])
    return StuckOrders(
        orders=[
            StuckOrder(order=head, why=page.why[str(order_id)]) for order_id, head in heads.items()
        ],
        after=page.after,
    )
