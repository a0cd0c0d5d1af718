"""The timeline of an order: each of its events, with who caused it."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from libs.contracts.orders import OrderEvent


class ActorKind(StrEnum):
    CUSTOMER = "customer"
    STAFF = "staff"
    MACHINE = "machine"
    PROVIDER = "provider"
    SYSTEM = "system"


class Actor(Struct, frozen=True, kw_only=True):
    """Who did it; `id` is opaque, a customer's is the customer_id of the order."""

    kind: ActorKind
    id: str | None = None


SYSTEM: Final = Actor(kind=ActorKind.SYSTEM)


class Entry(Struct, frozen=True, kw_only=True):
    """One version of an order: its event, its actor and a reason that is a code, never text."""

    event: OrderEvent
    actor: Actor = SYSTEM
    reason: str | None = None
