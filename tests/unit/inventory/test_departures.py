"""Stock that leaves and comes back: once for each shipment and refund, in any order."""

import pytest

from libs.contracts.inventory import StockItem, StockReturned, StockShipped
from libs.domain.inventory.errors import (
    ExceedsReservation,
    ReleaseExceedsReservation,
    ReturnExceedsReservation,
    ShipmentExceedsReservation,
)
from libs.domain.inventory.reservation import (
    Reservation,
    State,
    release,
    reserve,
    ship,
    take_back,
)
from libs.domain.inventory.stock import MovementKind, Shelf, Stock
from libs.foundation.ids import new_id
from libs.testkit import build


def _shelf(**on_hand: int) -> Shelf:
    return Shelf(Stock(sku=sku, on_hand=pieces) for sku, pieces in on_hand.items())


def _held(shelf: Shelf, **quantities: int) -> Reservation:
    claimed = Reservation(order_id=new_id(), state=State.NEW, sequence=0)
    command = build.reserve_stock(claimed.order_id, **quantities)
    return reserve(claimed, command, shelf).reservation


def _level(shelf: Shelf, sku: str) -> tuple[int, int]:
    (stock,) = [each for each in shelf.changed() if each.sku == sku]
    return stock.on_hand, stock.reserved


def test_what_leaves_is_neither_on_hand_nor_promised_any_more() -> None:
    shelf = _shelf(TEE=5)
    held = _held(shelf, TEE=3)
    command = build.ship_stock(held.order_id, TEE=3)

    shipped = ship(held, command, (), shelf)

    assert shipped.event == StockShipped(
        order_id=held.order_id,
        shipment_id=command.shipment_id,
        items=(StockItem(sku="TEE", quantity=3),),
    )
    assert shipped.reservation.state is State.CLOSED
    assert (_level(shelf, "TEE"), shelf.available("TEE")) == ((2, 0), 2)
    move = shelf.movements[-1]
    assert (move.kind, move.reference) == (MovementKind.SHIP, command.shipment_id)


def test_a_reservation_is_held_until_every_piece_has_left_or_was_given_back() -> None:
    shelf = _shelf(TEE=5, MUG=5)
    held = _held(shelf, TEE=3, MUG=1)

    part = ship(held, build.ship_stock(held.order_id, TEE=2), (), shelf).reservation
    rest = release(part, build.release_stock(held.order_id), (), shelf).reservation

    assert (part.state, rest.state) == (State.HELD, State.CLOSED)
    assert [(item.shipped, item.released) for item in rest.items] == [(0, 1), (2, 1)]
    assert shelf.available("TEE") == 3


def test_a_repeated_shipment_is_told_what_the_first_one_moved() -> None:
    shelf = _shelf(TEE=5)
    held = _held(shelf, TEE=3)
    command = build.ship_stock(held.order_id, TEE=3)
    first = ship(held, command, (), shelf)

    again = ship(first.reservation, command, command.items, shelf)

    assert again.event == first.event
    assert again.reservation.items == first.reservation.items
    assert len(shelf.movements) == 2


@pytest.mark.parametrize("wanted", [{"TEE": 4}, {"CAP": 1}, {}])
def test_no_piece_leaves_that_is_not_promised(wanted: dict[str, int]) -> None:
    shelf = _shelf(TEE=5)
    held = _held(shelf, TEE=3)

    with pytest.raises(ShipmentExceedsReservation):
        ship(held, build.ship_stock(held.order_id, **wanted), (), shelf)
    assert len(shelf.movements) == 1


def test_nothing_leaves_or_comes_back_of_what_was_never_promised() -> None:
    shelf = _shelf(TEE=5)
    claimed = Reservation(order_id=new_id(), state=State.NEW, sequence=0)

    for move in (
        lambda: ship(claimed, build.ship_stock(claimed.order_id, TEE=1), (), shelf),
        lambda: take_back(claimed, build.return_stock(claimed.order_id, TEE=1), (), shelf),
    ):
        with pytest.raises(ExceedsReservation):
            move()


def test_what_comes_back_may_be_sold_again_and_is_announced() -> None:
    shelf = _shelf(TEE=3)
    held = _held(shelf, TEE=3)
    gone = ship(held, build.ship_stock(held.order_id, TEE=3), (), shelf).reservation
    after = Shelf(shelf.changed())
    command = build.return_stock(held.order_id, TEE=2)

    back = take_back(gone, command, (), after)

    assert back.event == StockReturned(
        order_id=held.order_id, refund_id=command.refund_id, items=command.items
    )
    assert (back.reservation.state, after.available("TEE")) == (State.CLOSED, 2)
    levels = [(level.available, level.sold_out) for level in after.announce_crossings()]
    assert levels == [(2, False)]


def test_a_departure_crosses_nothing() -> None:
    shelf = _shelf(TEE=3)
    held = _held(shelf, TEE=3)
    after = Shelf(shelf.changed())

    ship(held, build.ship_stock(held.order_id, TEE=3), (), after)

    assert after.announce_crossings() == []


def test_a_return_that_overtakes_its_shipment_leaves_the_same_stock() -> None:
    def _moved(*, ship_first: bool) -> tuple[Reservation, Shelf]:
        shelf = _shelf(TEE=3)
        held = _held(shelf, TEE=3)
        leave = build.ship_stock(held.order_id, TEE=3)
        back = build.return_stock(held.order_id, TEE=3)
        if ship_first:
            held = ship(held, leave, (), shelf).reservation
            return take_back(held, back, (), shelf).reservation, shelf
        held = take_back(held, back, (), shelf).reservation
        return ship(held, leave, (), shelf).reservation, shelf

    (first, shelf), (second, other) = _moved(ship_first=True), _moved(ship_first=False)

    assert (first.state, first.items) == (second.state, second.items)
    assert shelf.changed() == other.changed() == []


def test_a_repeated_return_puts_nothing_on_the_shelf_twice() -> None:
    shelf = _shelf(TEE=3)
    held = _held(shelf, TEE=3)
    gone = ship(held, build.ship_stock(held.order_id, TEE=3), (), shelf).reservation
    command = build.return_stock(held.order_id, TEE=1)
    first = take_back(gone, command, (), shelf)

    again = take_back(first.reservation, command, command.items, shelf)

    assert again.event == first.event
    assert shelf.available("TEE") == 1


@pytest.mark.parametrize("pieces", [2, 3])
def test_no_more_comes_back_than_can_have_left(pieces: int) -> None:
    shelf = _shelf(TEE=3)
    held = _held(shelf, TEE=3)
    gone = ship(held, build.ship_stock(held.order_id, TEE=3), (), shelf).reservation
    once = take_back(gone, build.return_stock(held.order_id, TEE=2), (), shelf).reservation

    with pytest.raises(ReturnExceedsReservation):
        take_back(once, build.return_stock(held.order_id, TEE=pieces), (), shelf)


def test_pieces_that_came_back_must_have_left_and_are_not_released() -> None:
    shelf = _shelf(TEE=3)
    held = _held(shelf, TEE=3)
    overtaken = take_back(held, build.return_stock(held.order_id, TEE=1), (), shelf).reservation

    with pytest.raises(ReleaseExceedsReservation):
        release(overtaken, build.release_stock(held.order_id), (), shelf)
