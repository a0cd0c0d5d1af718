"""Topics and their shape; the partition count is part of the contract, since keys map onto it."""

from typing import Final

from msgspec import Struct


class Topic(Struct, frozen=True, kw_only=True):
    """One Kafka topic; retention in days."""

    name: str
    partitions: int = 12
    retention_days: int = 7

    @property
    def accepts_unknown_types(self) -> bool:
        """Events of a later version are skipped; an unknown command must not be lost."""
        return self.name.endswith(".events")


ORDERS_EVENTS: Final = Topic(name="orders.events")
INVENTORY_COMMANDS: Final = Topic(name="inventory.commands")
INVENTORY_EVENTS: Final = Topic(name="inventory.events")
PAYMENTS_COMMANDS: Final = Topic(name="payments.commands")
PAYMENTS_EVENTS: Final = Topic(name="payments.events")

TOPICS: Final = (
    ORDERS_EVENTS,
    INVENTORY_COMMANDS,
    INVENTORY_EVENTS,
    PAYMENTS_COMMANDS,
    PAYMENTS_EVENTS,
)
