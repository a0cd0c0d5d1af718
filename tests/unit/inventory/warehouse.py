"""A warehouse around the pure core of inventory: stock, reservations and the ledger, in memory."""

from uuid import UUID

from libs.contracts.inventory import (
    ReleaseStock,
    ReservationEvent,
    ReserveStock,
    ReturnStock,
    ShipStock,
    StockItem,
)
from libs.domain.inventory.reservation import (
    Outcome,
    Reservation,
    State,
    release,
    reserve,
    ship,
    take_back,
)
from libs.domain.inventory.stock import Movement, MovementKind, Shelf, Stock

Command = ReserveStock | ReleaseStock | ShipStock | ReturnStock


class Warehouse:
    """Each command is one transaction: it takes effect whole, or is refused and leaves nothing."""

    def __init__(self, on_hand: dict[str, int]) -> None:
        self.received = dict(on_hand)
        self.stock = {sku: Stock(sku=sku, on_hand=pieces) for sku, pieces in on_hand.items()}
        self.reservations: dict[str, Reservation] = {}
        self.movements: list[Movement] = []

    def handle(self, command: Command) -> ReservationEvent:
        fresh = Reservation(order_id=command.order_id, state=State.NEW, sequence=0)
        reservation = self.reservations.get(command.subject, fresh)
        shelf = Shelf(self.stock.values())
        outcome = self._decided(reservation, command, shelf)
        self.reservations[command.subject] = outcome.reservation
        self.stock |= {stock.sku: stock for stock in shelf.changed()}
        self.movements.extend(shelf.movements)
        return outcome.event

    def moved(self, kind: MovementKind, reference: UUID) -> tuple[StockItem, ...]:
        """Return what a release, shipment or refund has moved."""
        return tuple(
            StockItem(sku=move.sku, quantity=abs(move.on_hand_delta or move.reserved_delta))
            for move in self.movements
            if (move.kind, move.reference) == (kind, reference)
        )

    def _decided(self, reservation: Reservation, command: Command, shelf: Shelf) -> Outcome:
        match command:
            case ReserveStock():
                return reserve(reservation, command, shelf)
            case ReleaseStock(release_id=release_id):
                done = self.moved(MovementKind.RELEASE, release_id)
                return release(reservation, command, done, shelf)
            case ShipStock(shipment_id=shipment_id):
                done = self.moved(MovementKind.SHIP, shipment_id)
                return ship(reservation, command, done, shelf)
            case ReturnStock(refund_id=refund_id):
                done = self.moved(MovementKind.RETURN, refund_id)
                return take_back(reservation, command, done, shelf)
