"""The promise of stock to one order: all or none, kept or given back once, always answered."""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.inventory import (
    ReleaseStock,
    ReservationEvent,
    ReserveStock,
    ReturnStock,
    ShipStock,
    StockItem,
    StockRejected,
    StockReleased,
    StockReserved,
    StockReturned,
    StockShipped,
)
from libs.contracts.orders import ShortItem
from libs.domain.inventory.errors import (
    ReleaseExceedsReservation,
    ReturnExceedsReservation,
    ShipmentExceedsReservation,
)
from libs.domain.inventory.stock import Shelf


class State(StrEnum):
    NEW = "new"  # Claimed in this transaction; never committed.
    HELD = "held"
    REJECTED = "rejected"
    CLOSED = "closed"


class Item(Struct, frozen=True, kw_only=True):
    """Pieces of one SKU promised to the order, and what became of them."""

    sku: str
    quantity: int
    shipped: int = 0
    released: int = 0
    returned: int = 0

    @property
    def held(self) -> int:
        return self.quantity - self.shipped - self.released

    @property
    def returnable(self) -> int:
        """Pieces that have left or still may: a return may overtake its shipment."""
        return self.quantity - self.released - self.returned


class Reservation(Struct, frozen=True, kw_only=True):
    """A row of inventory.reservations with its items; `answer` is what reserve_stock got."""

    order_id: UUID
    state: State
    sequence: int
    answer: StockReserved | StockRejected | None = None
    items: tuple[Item, ...] = ()

    @property
    def aggregate_id(self) -> str:
        return str(self.order_id)


class Outcome(Struct, frozen=True, kw_only=True):
    """The next version of a reservation and the event that announces it."""

    reservation: Reservation
    event: ReservationEvent


def reserve(reservation: Reservation, command: ReserveStock, shelf: Shelf) -> Outcome:
    """Promise every item or none; a repeat gets the first answer again and moves nothing."""
    if reservation.answer is not None:
        return _told(reservation, reservation.answer)
    if reservation.state is not State.NEW:
        superseded = StockRejected(order_id=command.order_id, short=(), code="superseded")
        return _answered(reservation, superseded)
    short = tuple(
        ShortItem(sku=item.sku, requested=item.quantity, available=shelf.available(item.sku))
        for item in command.items
        if shelf.available(item.sku) < item.quantity
    )
    if short:
        rejected = replace(reservation, state=State.REJECTED)
        return _answered(rejected, StockRejected(order_id=command.order_id, short=short))
    for item in command.items:
        shelf.reserve(item.sku, item.quantity, command.order_id)
    items = tuple(Item(sku=item.sku, quantity=item.quantity) for item in command.items)
    held = replace(reservation, state=State.HELD, items=items)
    return _answered(held, StockReserved(order_id=command.order_id))


def release(
    reservation: Reservation, command: ReleaseStock, done: tuple[StockItem, ...], shelf: Shelf
) -> Outcome:
    """Give items back; `done` is what this very release has moved before.

    Coming before reserve_stock it leaves a tombstone, so that a late promise is never made.
    """
    if reservation.state is State.NEW:
        reservation = replace(reservation, state=State.CLOSED)
    if done or reservation.state is not State.HELD:
        return _released(reservation, command, done)
    wanted = _held_items(reservation) if command.items is None else command.items
    quantities = _quantities(wanted)
    items = tuple(
        replace(item, released=item.released + quantities.get(item.sku, 0))
        for item in reservation.items
    )
    if not _names_only(items, quantities) or _exceeded(items):
        raise ReleaseExceedsReservation(reservation.order_id)
    for item in wanted:
        shelf.release(item.sku, item.quantity, command.release_id)
    return _released(_with_items(reservation, items), command, wanted)


def ship(
    reservation: Reservation, command: ShipStock, done: tuple[StockItem, ...], shelf: Shelf
) -> Outcome:
    """Let promised items leave the stock; a repeat is told what its first delivery moved."""
    event = StockShipped(
        order_id=command.order_id, shipment_id=command.shipment_id, items=done or command.items
    )
    if done:
        return _told(reservation, event)
    quantities = _quantities(command.items)
    items = tuple(
        replace(item, shipped=item.shipped + quantities.get(item.sku, 0))
        for item in reservation.items
    )
    if not quantities or not _names_only(items, quantities) or _exceeded(items):
        raise ShipmentExceedsReservation(reservation.order_id)
    for item in command.items:
        shelf.ship(item.sku, item.quantity, command.shipment_id)
    return _told(_with_items(reservation, items), event)


def take_back(
    reservation: Reservation, command: ReturnStock, done: tuple[StockItem, ...], shelf: Shelf
) -> Outcome:
    """Put items back on the shelf, in any order with their shipment, and once for each refund."""
    event = StockReturned(
        order_id=command.order_id, refund_id=command.refund_id, items=done or command.items
    )
    if done:
        return _told(reservation, event)
    quantities = _quantities(command.items)
    items = tuple(
        replace(item, returned=item.returned + quantities.get(item.sku, 0))
        for item in reservation.items
    )
    if not quantities or not _names_only(items, quantities) or _exceeded(items):
        raise ReturnExceedsReservation(reservation.order_id)
    for item in command.items:
        shelf.take_back(item.sku, item.quantity, command.refund_id)
    return _told(replace(reservation, items=items), event)


def _held_items(reservation: Reservation) -> tuple[StockItem, ...]:
    return tuple(
        StockItem(sku=item.sku, quantity=item.held) for item in reservation.items if item.held > 0
    )


def _quantities(items: tuple[StockItem, ...]) -> Mapping[str, int]:
    return {item.sku: item.quantity for item in items}


def _names_only(items: tuple[Item, ...], quantities: Mapping[str, int]) -> bool:
    return {item.sku for item in items} >= set(quantities)


def _exceeded(items: tuple[Item, ...]) -> bool:
    """Say whether more left or was given back than was promised; what came back must have left."""
    return any(item.held < 0 or item.returnable < 0 for item in items)


def _with_items(reservation: Reservation, items: tuple[Item, ...]) -> Reservation:
    state = State.HELD if any(item.held > 0 for item in items) else State.CLOSED
    return replace(reservation, state=state, items=items)


def _answered(reservation: Reservation, answer: StockReserved | StockRejected) -> Outcome:
    return _told(replace(reservation, answer=answer), answer)


def _released(
    reservation: Reservation, command: ReleaseStock, items: tuple[StockItem, ...]
) -> Outcome:
    event = StockReleased(order_id=command.order_id, release_id=command.release_id, items=items)
    return _told(reservation, event)


def _told(reservation: Reservation, event: ReservationEvent) -> Outcome:
    return Outcome(reservation=replace(reservation, sequence=reservation.sequence + 1), event=event)
