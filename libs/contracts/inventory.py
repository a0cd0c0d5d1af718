"""Commands to inventory and its events; the aggregate is the reservation, named by its order."""

from typing import ClassVar, Final
from uuid import UUID

from msgspec import Struct

from libs.contracts import topics
from libs.contracts.messages import Command, Event, decoders
from libs.contracts.orders import ShortItem
from libs.contracts.topics import Topic


class StockItem(Struct, frozen=True, kw_only=True):
    """Pieces of one SKU, summed over the lines of an order."""

    sku: str
    quantity: int


class InventoryCommand(Command, frozen=True, kw_only=True):
    """Asked by orders of inventory, about one order."""

    topic: ClassVar[Topic] = topics.INVENTORY_COMMANDS
    source: ClassVar[str] = "/orderly/orders"
    aggregate_type: ClassVar[str] = "order"

    order_id: UUID

    @property
    def subject(self) -> str:
        return str(self.order_id)


class ReserveStock(InventoryCommand, frozen=True, kw_only=True):
    """Promise every item to the order, or none."""

    type: ClassVar[str] = "inventory.reserve_stock.v1"
    items: tuple[StockItem, ...]


class ReleaseStock(InventoryCommand, frozen=True, kw_only=True):
    """Give promised items back; None means all. Comes first: leaves a tombstone."""

    type: ClassVar[str] = "inventory.release_stock.v1"
    release_id: UUID
    items: tuple[StockItem, ...] | None = None


class ShipStock(InventoryCommand, frozen=True, kw_only=True):
    """Take promised items out of the warehouse: they leave with a released shipment."""

    type: ClassVar[str] = "inventory.ship_stock.v1"
    shipment_id: UUID
    items: tuple[StockItem, ...]


class ReturnStock(InventoryCommand, frozen=True, kw_only=True):
    """Put shipped items back on the shelf: they came back with a refund."""

    type: ClassVar[str] = "inventory.return_stock.v1"
    refund_id: UUID
    items: tuple[StockItem, ...]


class ReservationEvent(Event, frozen=True, kw_only=True):
    """A fact about the reservation of one order."""

    topic: ClassVar[Topic] = topics.INVENTORY_EVENTS
    source: ClassVar[str] = "/orderly/inventory"
    aggregate_type: ClassVar[str] = "reservation"

    order_id: UUID

    @property
    def subject(self) -> str:
        return str(self.order_id)


class StockReserved(ReservationEvent, frozen=True, kw_only=True):
    """Every item is promised."""

    type: ClassVar[str] = "inventory.stock_reserved.v1"


class StockRejected(ReservationEvent, frozen=True, kw_only=True):
    """Nothing is promised; `short` lists all that is short, `code` is short or superseded."""

    type: ClassVar[str] = "inventory.stock_rejected.v1"
    short: tuple[ShortItem, ...]
    code: str = "short"


class StockReleased(ReservationEvent, frozen=True, kw_only=True):
    """The release is done; `items` is what was really given back, empty when nothing was held."""

    type: ClassVar[str] = "inventory.stock_released.v1"
    release_id: UUID
    items: tuple[StockItem, ...]


class StockShipped(ReservationEvent, frozen=True, kw_only=True):
    """The items of the shipment have left the stock."""

    type: ClassVar[str] = "inventory.stock_shipped.v1"
    shipment_id: UUID
    items: tuple[StockItem, ...]


class StockReturned(ReservationEvent, frozen=True, kw_only=True):
    """The items of the refund are in the stock again."""

    type: ClassVar[str] = "inventory.stock_returned.v1"
    refund_id: UUID
    items: tuple[StockItem, ...]


class StockLevelEvent(Event, frozen=True, kw_only=True):
    """A fact about the stock of one SKU."""

    topic: ClassVar[Topic] = topics.INVENTORY_EVENTS
    source: ClassVar[str] = "/orderly/inventory"
    aggregate_type: ClassVar[str] = "stock"

    sku: str

    @property
    def subject(self) -> str:
        return self.sku


class StockAdjusted(StockLevelEvent, frozen=True, kw_only=True):
    """A person corrected the pieces on hand."""

    type: ClassVar[str] = "inventory.stock_adjusted.v1"
    delta: int
    reason: str
    on_hand: int
    reserved: int
    available: int


class AvailabilityChanged(StockLevelEvent, frozen=True, kw_only=True):
    """Available crossed zero."""

    type: ClassVar[str] = "inventory.availability_changed.v1"
    available: int
    sold_out: bool


COMMAND_DECODERS: Final = decoders(ReserveStock, ReleaseStock, ShipStock, ReturnStock)
EVENT_DECODERS: Final = decoders(
    StockReserved,
    StockRejected,
    StockReleased,
    StockShipped,
    StockReturned,
    StockAdjusted,
    AvailabilityChanged,
)
