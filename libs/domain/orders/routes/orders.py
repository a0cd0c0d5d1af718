"""/v1/orders: reading orders and cancelling them; placing them is in a module of its own."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.domain.orders.callers import actor_of, is_customer
from libs.domain.orders.cancellation import CancellationReason
from libs.domain.orders.routes.changed_orders import changed_orders
from libs.domain.orders.routes.order_queries import OrderQuery, TimelineQuery
from libs.domain.orders.use_cases.cancel_order import cancel_order
from libs.domain.orders.use_cases.read_orders import (
    READ,
    list_orders,
    read_order,
    read_order_and_contact,
    read_timeline,
)
from libs.domain.orders.views import (
    OrderList,
    OrderView,
    TimelineView,
    order_view,
    timeline_entry_view,
)
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.web.conditions import etag
from libs.foundation.web.cursors import Cursors
from libs.foundation.web.endpoint import Call, Endpoint
from libs.foundation.web.idempotency import once
from libs.foundation.web.reply import Reply, not_modified, reply

CANCEL: Final = "orders:cancel"
_NEWEST: Final = UUID(int=2**128 - 1)


class CancellationIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cancels every unit; final at once."""

    reason: CancellationReason


_CANCELLATION: Final = msgspec.json.Decoder(CancellationIn)


class OrderRoutes:
    """Customers see and cancel their own orders; another's looks as if it were not there."""

    def __init__(self, pool: Pool, cursors: Cursors) -> None:
        self._pool = pool
        self._cursors = cursors

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="GET",
                path="/v1/orders",
                handle=self.list,
                scopes=(READ,),
                summary="List orders, the newest first; or changes, with updated_from",
                query=OrderQuery,
                answers={200: OrderList},
            ),
            Endpoint(
                method="GET",
                path="/v1/orders/{order_id:uuid}",
                handle=self.get,
                scopes=(READ,),
                summary="Read an order",
                answers={200: OrderView},
                request_headers=("If-None-Match",),
            ),
            Endpoint(
                method="GET",
                path="/v1/orders/{order_id:uuid}/timeline",
                handle=self.timeline,
                scopes=(READ,),
                summary="Read what happened to an order, version by version",
                query=TimelineQuery,
                answers={200: TimelineView},
            ),
            Endpoint(
                method="POST",
                path="/v1/orders/{order_id:uuid}/cancellation",
                handle=self.cancel,
                scopes=(CANCEL,),
                summary="Cancel a whole order",
                body=CancellationIn,
                answers={200: OrderView},
                request_headers=("Idempotency-Key", "If-Match"),
                refusals=("illegal-transition", "quantity-unavailable"),
            ),
        )

    async def get(self, call: Call) -> Reply:
        async with transaction(self._pool) as tx:
            view = await read_order_and_contact(tx, call.path("order_id", UUID), call.principal)
        if call.has(view.version):
            return not_modified(etag(view.version))
        return _reply(view)

    async def list(self, call: Call) -> Reply:
        query = call.query(OrderQuery)
        if query.updated_from is not None:
            return await changed_orders(self._pool, self._cursors, call, query)
        wanted = query.filter()
        scope = f"orders {call.principal.id} {wanted}"
        before = _NEWEST
        if query.cursor is not None:
            before = UUID(self._cursors.position(scope, query.cursor))
        async with transaction(self._pool) as tx:
            rows = await list_orders(tx, wanted, before, query.limit + 1, call.principal)
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        content = OrderList(
            items=[order_view(row, for_customer=is_customer(call.principal)) for row in shown],
            next_cursor=self._cursors.sign(scope, str(shown[-1].id)) if more else None,
        )
        return reply(200, content)

    async def timeline(self, call: Call) -> Reply:
        order_id = call.path("order_id", UUID)
        query = call.query(TimelineQuery)
        scope = f"timeline {order_id}"
        after = 0
        if query.cursor is not None:
            after = int(self._cursors.position(scope, query.cursor))
        async with transaction(self._pool) as tx:
            rows = await read_timeline(tx, order_id, after, query.limit + 1, call.principal)
        shown = rows[: query.limit]
        more = len(rows) > query.limit
        for_customer = is_customer(call.principal)
        content = TimelineView(
            items=[timeline_entry_view(row, for_customer=for_customer) for row in shown],
            next_cursor=self._cursors.sign(scope, str(shown[-1].sequence)) if more else None,
        )
        return reply(200, content)

    async def cancel(self, call: Call) -> Reply:
        wanted = await call.content(_CANCELLATION)
        claim = call.claim(wanted)
        async with transaction(self._pool) as tx:
            return await once(tx, claim, lambda: _cancelled(tx, call, wanted.reason))


async def _cancelled(tx: Transaction, call: Call, reason: CancellationReason) -> Reply:
    """Cancel, and answer with the order as it is then; If-Match is looked at only now."""
    order_id = call.path("order_id", UUID)
    await cancel_order(tx, order_id, call.expected_version(), reason, actor_of(call.principal))
    return _reply(await read_order(tx, order_id, call.principal))


def _reply(view: OrderView) -> Reply:
    return reply(200, view, ETag=etag(view.version))
