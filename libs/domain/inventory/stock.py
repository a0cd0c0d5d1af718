"""The stock of one SKU, and the movements that are the only way to change it."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.inventory import AvailabilityChanged
from libs.foundation.ids import new_id

ON_HAND_MAX: Final = 1_000_000_000


class MovementKind(StrEnum):
    ADJUST = "adjust"
    RESERVE = "reserve"
    RELEASE = "release"
    SHIP = "ship"
    RETURN = "return"


class Movement(Struct, frozen=True, kw_only=True):
    """A row of the ledger; (kind, reference, sku) happens once for ever."""

    id: UUID
    sku: str
    kind: MovementKind
    reference: UUID
    on_hand_delta: int = 0
    reserved_delta: int = 0
    reason: str | None = None
    note: str | None = None


class Stock(Struct, frozen=True, kw_only=True):
    """A row of inventory.stock; `sequence` counts its events, not its movements."""

    sku: str
    on_hand: int = 0
    reserved: int = 0
    sequence: int = 0

    @property
    def aggregate_id(self) -> str:
        return self.sku

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved

    def after(self, movement: Movement) -> "Stock":
        return replace(
            self,
            on_hand=self.on_hand + movement.on_hand_delta,
            reserved=self.reserved + movement.reserved_delta,
        )

    def announced(self) -> "Stock":
        """Return the row with the sequence of its next event."""
        return replace(self, sequence=self.sequence + 1)


class Shelf:
    """The locked stock of one transaction; whoever moves it also writes the ledger."""

    def __init__(self, locked: Iterable[Stock]) -> None:
        self._before = {stock.sku: stock for stock in locked}
        self._now = dict(self._before)
        self.movements: list[Movement] = []

    def available(self, sku: str) -> int:
        """Return what may still be promised; a SKU that was never adjusted has nothing."""
        stock = self._now.get(sku)
        return 0 if stock is None else stock.available

    def reserve(self, sku: str, quantity: int, order_id: UUID) -> None:
        self._move(sku, MovementKind.RESERVE, order_id, reserved_delta=quantity)

    def release(self, sku: str, quantity: int, release_id: UUID) -> None:
        self._move(sku, MovementKind.RELEASE, release_id, reserved_delta=-quantity)

    def ship(self, sku: str, quantity: int, shipment_id: UUID) -> None:
        """Take promised pieces out of the house: what is available stays as it was."""
        self._move(sku, MovementKind.SHIP, shipment_id, -quantity, reserved_delta=-quantity)

    def take_back(self, sku: str, quantity: int, refund_id: UUID) -> None:
        self._move(sku, MovementKind.RETURN, refund_id, quantity)

    def announce_crossings(self) -> list[AvailabilityChanged]:
        """Return one event for each SKU that sold out or came back, and count it on its row."""
        crossed = [
            stock
            for sku, stock in self._now.items()
            if crossed_zero(self._before[sku].available, stock.available)
        ]
        for stock in crossed:
            self._now[stock.sku] = stock.announced()
        return [availability_changed(stock) for stock in crossed]

    def changed(self) -> list[Stock]:
        """Return the rows to save."""
        return [stock for sku, stock in self._now.items() if stock != self._before[sku]]

    def sequence(self, sku: str) -> int:
        return self._now[sku].sequence

    def _move(
        self,
        sku: str,
        kind: MovementKind,
        reference: UUID,
        on_hand_delta: int = 0,
        *,
        reserved_delta: int = 0,
    ) -> None:
        movement = Movement(
            id=new_id(),
            sku=sku,
            kind=kind,
            reference=reference,
            on_hand_delta=on_hand_delta,
            reserved_delta=reserved_delta,
        )
        self._now[sku] = self._now[sku].after(movement)
        self.movements.append(movement)


def crossed_zero(before: int, after: int) -> bool:
    return (before > 0) != (after > 0)


def availability_changed(stock: Stock) -> AvailabilityChanged:
    return AvailabilityChanged(
        sku=stock.sku, available=stock.available, sold_out=stock.available == 0
    )
