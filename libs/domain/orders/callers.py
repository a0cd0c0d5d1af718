"""Who a caller of the API is to an order: its customer, or somebody who may see all."""

from uuid import UUID

from libs.domain.orders.errors import StaffOnly, UnknownOrder
from libs.domain.orders.timeline import Actor, ActorKind
from libs.foundation.web.authentication import Principal


def actor_of(principal: Principal) -> Actor:
    """Return the caller as the timeline names it; a customer's id is the token's."""
    return Actor(kind=ActorKind(principal.kind), id=principal.name)


def is_customer(principal: Principal) -> bool:
    return principal.kind == ActorKind.CUSTOMER


def require_staff(principal: Principal) -> None:
    """Raise StaffOnly for a program: this is a person's decision."""
    if principal.kind != ActorKind.STAFF:
        raise StaffOnly


def check_may_see(principal: Principal, order_id: UUID, customer_id: str | None) -> None:
    """Raise UnknownOrder for another customer's order, exactly as for one that is not there."""
    if is_customer(principal) and customer_id != principal.name:
        raise UnknownOrder(order_id)
