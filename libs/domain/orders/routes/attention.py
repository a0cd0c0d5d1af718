"""/v1/orders/{id}/attention: flags for people, taken away by those who have looked."""

from collections.abc import Sequence
from http import HTTPStatus
from uuid import UUID

from libs.domain.orders.callers import actor_of, require_staff
from libs.domain.orders.routes.refunds import REFUND
from libs.domain.orders.routes.shipments import SHIP
from libs.domain.orders.use_cases.clear_attention import clear_attention
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import transaction
from libs.foundation.web.conditions import etag
from libs.foundation.web.endpoint import Call, Endpoint
from libs.foundation.web.reply import Reply


class AttentionRoutes:
    """Whoever of the staff ships or refunds may say that a flag was looked at."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="DELETE",
                path="/v1/orders/{order_id:uuid}/attention/{code:str}",
                handle=self.clear,
                scopes=(SHIP, REFUND),
                summary="Take a flag of an order away (staff)",
                answers={204: None},
                request_headers=("If-Match",),
            ),
        )

    async def clear(self, call: Call) -> Reply:
        require_staff(call.principal)
        async with transaction(self._pool) as tx:
            order = await clear_attention(
                tx,
                call.path("order_id", UUID),
                call.path("code", str),
                call.expected_version(),
                actor_of(call.principal),
            )
        return Reply(status=HTTPStatus.NO_CONTENT, body=b"", headers={"ETag": etag(order.version)})
