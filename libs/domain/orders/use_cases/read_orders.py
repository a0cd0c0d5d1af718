"""Reads orders for a caller, who sees what is his and nothing beside it."""

from collections.abc import Sequence
from typing import Final, TypeVar
from uuid import UUID

from msgspec.structs import replace

from libs.contracts.orders import AttentionCleared, AttentionRaised
from libs.domain.orders.callers import check_may_see, is_customer
from libs.domain.orders.errors import UnknownOrder, UnknownPart
from libs.domain.orders.part_views import RefundView, ShipmentView, with_notes
from libs.domain.orders.sql import orders, refunds
from libs.domain.orders.sql.orders import OrderFilter, OrderRow, TimelineRow
from libs.domain.orders.views import OrderView, order_view
from libs.foundation.database.transaction import Transaction
from libs.foundation.web.authentication import Principal

READ: Final = "orders:read"
READ_CONTACTS: Final = "contacts:read"
V = TypeVar("V", ShipmentView, RefundView)
_FOR_STAFF: Final = (AttentionRaised.type, AttentionCleared.type)


async def read_order(tx: Transaction, order_id: UUID, caller: Principal) -> OrderView:
    """Return the order without personal data, so that the answer may be stored."""
    rows = await orders.read(tx, [order_id])
    if not rows:
        raise UnknownOrder(order_id)
    check_may_see(caller, order_id, rows[0].customer_id)
    return order_view(rows[0], for_customer=is_customer(caller))


async def read_order_and_contact(tx: Transaction, order_id: UUID, caller: Principal) -> OrderView:
    """Return the order, with its contact if the caller may read contacts.

    What staff wrote about refunds is shown to them, never to the customer it is about.
    """
    view = await read_order(tx, order_id, caller)
    if READ_CONTACTS not in caller.scopes:
        return view
    view = replace(view, contact=await orders.contact(tx, order_id))
    if is_customer(caller) or not view.refunds:
        return view
    notes = await refunds.notes(tx, order_id)
    return replace(view, refunds=[with_notes(each, notes[each.id]) for each in view.refunds])


def shown_part(order: OrderView, parts: Sequence[V], part_id: UUID, what: str) -> V:
    """Return the shipment or refund of this id; raise UnknownPart when the order has none."""
    for part in parts:
        if part.id == part_id:
            return part
    raise UnknownPart(order.id, what)


async def list_orders(
    tx: Transaction, wanted: OrderFilter, before: UUID, rows_max: int, caller: Principal
) -> list[OrderRow]:
    """Return orders placed before `before`, the newest first; a customer's own only."""
    if is_customer(caller):
        if wanted.customer_id not in {None, caller.name} or wanted.attention is not None:
            return []
        wanted = replace(wanted, customer_id=caller.name)
    ids = await orders.page_ids(tx, wanted, before, rows_max)
    rows = await orders.read(tx, ids) if ids else []
    if wanted.customer_id is None:
        return rows
    return [row for row in rows if row.customer_id == wanted.customer_id]


async def read_timeline(
    tx: Transaction, order_id: UUID, after: int, rows_max: int, caller: Principal
) -> list[TimelineRow]:
    """Return the versions of an order behind the sequence `after`, in order.

    A customer's timeline has gaps where people were asked to look.
    """
    owner = await orders.ownership(tx, order_id)
    if owner is None:
        raise UnknownOrder(order_id)
    check_may_see(caller, order_id, owner.customer_id)
    hidden = _FOR_STAFF if is_customer(caller) else ()
    return await orders.timeline(tx, order_id, after, rows_max, hidden)
