"""POST /v1/orders: the hot path, answered after a COMMIT that many requests share."""

from collections.abc import Sequence
from typing import Final

import msgspec

from libs.domain.orders.callers import actor_of, is_customer
from libs.domain.orders.order_examples import EXAMPLES
from libs.domain.orders.order_request import OrderRequest
from libs.domain.orders.placed_view import placed_row
from libs.domain.orders.placement import Placement
from libs.domain.orders.timeline import ActorKind
from libs.domain.orders.use_cases.place_orders import PlacedOrder, place_orders
from libs.domain.orders.views import OrderView, order_view
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction
from libs.foundation.errors import AppError
from libs.foundation.ids import new_id
from libs.foundation.web.authentication import Principal
from libs.foundation.web.conditions import etag
from libs.foundation.web.endpoint import Call, Endpoint, Link
from libs.foundation.web.group_commit import GroupCommit, GroupCommitSettings
from libs.foundation.web.reply import Reply, reply

PATH: Final = "/v1/orders"
PLACE: Final = "orders:place"
CHECKOUT: Final = "orders:checkout"
_DECODER: Final = msgspec.json.Decoder(OrderRequest)
_REFUSALS: Final = (
    "external-reference-taken",
    "unknown-sku",
    "sku-inactive",
    "price-missing",
    "total-mismatch",
    "currency-mismatch",
    "currency-not-supported",
    "card-data-refused",
)
_ITS_ID: Final = {"order_id": "$response.body#/id"}
_ITS_VERSION: Final = {"header.If-Match": "$response.header.ETag"}
_LINKS: Final = {
    "read": Link(method="GET", template=f"{PATH}/{{order_id}}", parameters=_ITS_ID),
    "timeline": Link(method="GET", template=f"{PATH}/{{order_id}}/timeline", parameters=_ITS_ID),
    "cancel": Link(
        method="POST",
        template=f"{PATH}/{{order_id}}/cancellation",
        parameters=_ITS_ID | _ITS_VERSION,
    ),
}


class PlacingRoute:
    """Owns the group commit; the pool holds one connection for each flush in flight."""

    def __init__(self, pool: Pool, settings: GroupCommitSettings) -> None:
        self._commits = GroupCommit(pool, _place, settings)

    @property
    def full(self) -> bool:
        """Whether a further order would be refused: the first layer sheds by it."""
        return self._commits.full

    async def drained(self) -> None:
        """Wait until every accepted request is answered."""
        await self._commits.drained()

    def endpoint(self) -> Endpoint:
        return Endpoint(
            method="POST",
            path=PATH,
            handle=self.place,
            scopes=(PLACE, CHECKOUT),
            summary="Place an order",
            body=OrderRequest,
            answers={201: OrderView},
            request_headers=("Idempotency-Key",),
            answer_headers=("Location", "ETag"),
            refusals=_REFUSALS,
            examples=EXAMPLES,
            links=_LINKS,
        )

    async def place(self, call: Call) -> Reply:
        request = await call.content(_DECODER)
        _check_scope(call.principal, request)
        claim = call.claim(request)
        placement = Placement(
            order_id=new_id(),
            request=request,
            customer_id=_customer_id(call.principal, request),
            actor=actor_of(call.principal),
            traceparent=call.traceparent,
        )
        return await self._commits.submit(claim, placement)


async def _place(tx: Transaction, placements: Sequence[Placement]) -> list[Reply | AppError]:
    return [
        _reply(outcome) if isinstance(outcome, PlacedOrder) else outcome
        for outcome in await place_orders(tx, placements)
    ]


def _reply(placed: PlacedOrder) -> Reply:
    row = placed_row(placed)
    for_customer = placed.draft.placement.actor.kind is ActorKind.CUSTOMER
    return reply(
        201,
        order_view(row, for_customer=for_customer),
        Location=f"{PATH}/{row.id}",
        ETag=etag(row.version),
    )


def _check_scope(principal: Principal, request: OrderRequest) -> None:
    """Require more than orders:place for the fields that only a trusted checkout may send."""
    of_checkout = (request.external_reference, request.customer_id, request.channel)
    if (
        request.supplied_pricing
        or any(field is not None for field in of_checkout)
        or request.payment.source.kind == "authorisation"
    ):
        principal.require(CHECKOUT)
    else:
        principal.require(PLACE, CHECKOUT)


def _customer_id(principal: Principal, request: OrderRequest) -> str | None:
    return principal.name if is_customer(principal) else request.customer_id
