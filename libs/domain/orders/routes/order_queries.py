"""What GET /v1/orders and the timeline accept in their queries."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from libs.domain.orders.order_request import CustomerId, ExternalReference
from libs.domain.orders.sql.orders import OrderFilter
from libs.domain.orders.status import Status

Cursor = Annotated[str, Meta(max_length=300)]
Limit = Annotated[int, Meta(ge=1, le=100)]
Moment = Annotated[datetime, Meta(tz=True)]


class OrderQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Filters of the list; number, external_reference and attention are used alone."""

    status: Status | None = None
    customer_id: CustomerId | None = None
    external_reference: ExternalReference | None = None
    number: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    attention: Annotated[str, Meta(pattern=r"^[a-z_]{1,40}\Z")] | None = None
    placed_from: Moment | None = None
    placed_to: Moment | None = None
    cursor: Cursor | None = None
    limit: Limit = 50

    def filter(self) -> OrderFilter:
        return OrderFilter(
            customer_id=self.customer_id,
            status=self.status,
            placed_from=self.placed_from,
            placed_to=self.placed_to,
            external_reference=self.external_reference,
            number=self.number,
            attention=self.attention,
        )


class TimelineQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cursor: Cursor | None = None
    limit: Limit = 100
