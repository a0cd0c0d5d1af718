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
    """Filters of the list; number, external_reference and attention are used alone.

    `updated_from`, alone or with `customer_id`, turns the list into a feed of changes.
    """

    status: Status | None = None
    customer_id: CustomerId | None = None
    external_reference: ExternalReference | None = None
    number: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    attention: Annotated[str, Meta(pattern=r"^[a-z_]{1,40}\Z")] | None = None
    placed_from: Moment | None = None
    placed_to: Moment | None = None
    updated_from: (
        Annotated[
            datetime,
            Meta(
                tz=True,
                description="Lists orders by their latest change, the oldest first, and only"
                " changes that none can still precede. `next_cursor` is then never null: ask"
                " with it again later. Goes with customer_id only.",
            ),
        ]
        | None
    ) = None
    cursor: Cursor | None = None
    limit: Limit = 50

    def __post_init__(self) -> None:
        if self.updated_from is not None and self.filter() != OrderFilter(
            customer_id=self.customer_id
        ):
            raise ValueError("updated_from goes with customer_id, cursor and limit only")

    def start_of_changes(self) -> datetime:
        """Return `updated_from`; only to be called when it is given."""
        if self.updated_from is None:
            raise TypeError("this query is not for changes")
        return self.updated_from

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
