"""/admin/v1/orders: where an order is and why it is stuck, for operators."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from libs.domain.operations.order_inspection import inspect, list_stuck
from libs.domain.operations.order_report import Report
from libs.domain.orders.stuck import FIRST, StuckOrders
from libs.foundation.administration.parked_routes import Text300
from libs.foundation.administration.scopes import READ
from libs.foundation.database.connections import Pool
from libs.foundation.settings import KafkaSettings
from libs.foundation.web.endpoint import Call, Endpoint
from libs.foundation.web.refusals import NotFound
from libs.foundation.web.reply import Reply, reply


class StuckQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    after: UUID = FIRST
    """The last order id of the page before."""
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class InspectionQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    principal: Text300 | None = None
    """Whose idempotency key it is, where several callers have used the same one."""


class OrderInspectionRoutes:
    """Personal data and what pays for an order are not part of it."""

    def __init__(self, pool: Pool, kafka: KafkaSettings) -> None:
        self._pool = pool
        self._kafka = kafka

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="GET",
                path="/admin/v1/stuck-orders",
                handle=self.stuck,
                scopes=(READ,),
                summary="List orders that need a look, and why",
                query=StuckQuery,
                answers={200: StuckOrders},
            ),
            Endpoint(
                method="GET",
                path="/admin/v1/orders/{name:str}",
                handle=self.show,
                scopes=(READ,),
                summary="See where an order is and why: by its id, idempotency key, event or trace",
                query=InspectionQuery,
                answers={200: Report},
            ),
        )

    async def stuck(self, call: Call) -> Reply:
        query = call.query(StuckQuery)
        async with self._pool.connection() as connection:
            return reply(200, await list_stuck(connection, query.after, query.limit))

    async def show(self, call: Call) -> Reply:
        name, query = _name(call), call.query(InspectionQuery)
        async with self._pool.connection() as connection:
            report = await inspect(connection, self._kafka, name, query.principal)
        if report.order is None:
            raise NotFound("order, key, message or trace")
        return reply(200, report)


def _name(call: Call) -> str:
    try:
        return msgspec.convert(call.path("name", str), Text300)
    except msgspec.ValidationError:
        raise NotFound("order, key, message or trace") from None
