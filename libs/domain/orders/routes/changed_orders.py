"""GET /v1/orders?updated_from=: the feed for those who keep a copy of orders."""

from typing import Final
from uuid import UUID

import msgspec

from libs.domain.orders.callers import is_customer
from libs.domain.orders.routes.order_queries import OrderQuery
from libs.domain.orders.sql.changed_orders import Change
from libs.domain.orders.use_cases.read_changes import read_changes
from libs.domain.orders.views import OrderList, order_view
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import transaction
from libs.foundation.web.cursors import Cursors
from libs.foundation.web.endpoint import Call
from libs.foundation.web.reply import Reply, reply

_BEFORE_EVERY_ID: Final = UUID(int=0)


async def changed_orders(pool: Pool, cursors: Cursors, call: Call, query: OrderQuery) -> Reply:
    """Answer with a page of changed orders, and always with a cursor: later there will be more."""
    scope = f"changes {call.principal.id} {query.updated_from} {query.customer_id}"
    after = Change(updated_at=query.start_of_changes(), id=_BEFORE_EVERY_ID)
    if query.cursor is not None:
        after = msgspec.json.decode(cursors.position(scope, query.cursor), type=Change)
    async with transaction(pool) as tx:
        changes = await read_changes(tx, after, query.customer_id, query.limit, call.principal)
    for_customer = is_customer(call.principal)
    content = OrderList(
        items=[order_view(row, for_customer=for_customer) for row in changes.rows],
        next_cursor=cursors.sign(scope, msgspec.json.encode(changes.end).decode()),
    )
    return reply(200, content)
