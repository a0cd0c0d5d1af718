"""/v1/orders/{id}/shipments: what leaves together, once it is paid."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.domain.orders.callers import actor_of
from libs.domain.orders.part_views import ShipmentView, shipment_view
from libs.domain.orders.use_cases.read_orders import READ, read_order, shown_part
from libs.domain.orders.use_cases.request_shipment import request_shipment
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.web.conditions import etag
from libs.foundation.web.endpoint import Call, Endpoint
from libs.foundation.web.idempotency import once
from libs.foundation.web.reply import Reply, reply

SHIP: Final = "orders:ship"
_PATH: Final = "/v1/orders/{order_id:uuid}/shipments"


class ShipmentIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ships every open unit."""


_DECODER: Final = msgspec.json.Decoder(ShipmentIn)


class ShipmentRoutes:
    """A warehouse ships; the order's ETag is the version of everything in it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="POST",
                path=_PATH,
                handle=self.request,
                scopes=(SHIP,),
                summary="Ship all open units of a confirmed order, once their money is taken",
                body=ShipmentIn,
                answers={201: ShipmentView},
                request_headers=("Idempotency-Key", "If-Match"),
                refusals=(
                    "illegal-transition",
                    "shipment-in-progress",
                    "quantity-unavailable",
                    "order-limit-exceeded",
                ),
            ),
            Endpoint(
                method="GET",
                path=f"{_PATH}/{{shipment_id:uuid}}",
                handle=self.get,
                scopes=(READ,),
                summary="Read a shipment",
                answers={200: ShipmentView},
            ),
        )

    async def request(self, call: Call) -> Reply:
        claim = call.claim(await call.content(_DECODER))
        async with transaction(self._pool) as tx:
            return await once(tx, claim, lambda: _requested(tx, call))

    async def get(self, call: Call) -> Reply:
        order_id = call.path("order_id", UUID)
        async with transaction(self._pool) as tx:
            order = await read_order(tx, order_id, call.principal)
        found = shown_part(order, order.shipments, call.path("shipment_id", UUID), "shipment")
        return reply(200, found, ETag=etag(order.version))


async def _requested(tx: Transaction, call: Call) -> Reply:
    order, shipment = await request_shipment(
        tx, call.path("order_id", UUID), call.expected_version(), actor_of(call.principal)
    )
    return reply(
        201,
        shipment_view(shipment, order.currency),
        Location=f"/v1/orders/{order.id}/shipments/{shipment.id}",
        ETag=etag(order.version),
    )
