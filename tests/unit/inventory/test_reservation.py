"""The promise of stock: all or nothing, once, and never more than there is."""

import pytest

from libs.contracts.inventory import StockItem, StockRejected, StockReleased, StockReserved
from libs.contracts.orders import ShortItem
from libs.domain.inventory.errors import ReleaseExceedsReservation
from libs.domain.inventory.reservation import Outcome, Reservation, State, release, reserve
from libs.domain.inventory.stock import Shelf, Stock
from libs.foundation.ids import new_id
from libs.testkit import build


def _shelf(**on_hand: int) -> Shelf:
    return Shelf(Stock(sku=sku, on_hand=pieces) for sku, pieces in on_hand.items())


def _claimed() -> Reservation:
    return Reservation(order_id=new_id(), state=State.NEW, sequence=0)


def _held(shelf: Shelf, **quantities: int) -> Outcome:
    claimed = _claimed()
    return reserve(claimed, build.reserve_stock(claimed.order_id, **quantities), shelf)


def test_every_item_is_promised_and_written_to_the_ledger() -> None:
    shelf = _shelf(TEE=5, MUG=1)

    held = _held(shelf, TEE=5, MUG=1)

    assert isinstance(held.event, StockReserved)
    assert (held.reservation.state, held.reservation.sequence) == (State.HELD, 1)
    assert (shelf.available("TEE"), shelf.available("MUG")) == (0, 0)
    assert {(move.sku, move.reserved_delta) for move in shelf.movements} == {("TEE", 5), ("MUG", 1)}


def test_one_short_item_refuses_all_and_every_short_one_is_named() -> None:
    shelf = _shelf(TEE=5, MUG=1)

    refused = _held(shelf, TEE=1, MUG=2, CAP=3)

    assert isinstance(refused.event, StockRejected)
    assert refused.event.short == (
        ShortItem(sku="CAP", requested=3, available=0),
        ShortItem(sku="MUG", requested=2, available=1),
    )
    assert refused.reservation.state is State.REJECTED
    assert (shelf.movements, shelf.available("TEE")) == ([], 5)


def test_whoever_comes_first_gets_the_last_piece() -> None:
    shelf = _shelf(TEE=1)

    first, second = _held(shelf, TEE=1), _held(shelf, TEE=1)

    assert isinstance(first.event, StockReserved)
    assert isinstance(second.event, StockRejected)


@pytest.mark.parametrize("pieces", [0, 1])
def test_a_repeat_gets_the_same_answer_and_moves_nothing(pieces: int) -> None:
    shelf = _shelf(TEE=pieces)
    claimed = _claimed()
    command = build.reserve_stock(claimed.order_id, TEE=1)
    first = reserve(claimed, command, shelf)
    moved = len(shelf.movements)

    again = reserve(first.reservation, command, shelf)

    assert again.event == first.event
    assert again.reservation.sequence == 2
    assert len(shelf.movements) == moved


def test_a_release_gives_everything_back() -> None:
    shelf = _shelf(TEE=5)
    held = _held(shelf, TEE=3).reservation

    released = release(held, build.release_stock(held.order_id), (), shelf)

    assert isinstance(released.event, StockReleased)
    assert released.event.items == (StockItem(sku="TEE", quantity=3),)
    assert released.reservation.state is State.CLOSED
    assert shelf.available("TEE") == 5


def test_a_part_may_be_released_and_the_rest_stays_held() -> None:
    shelf = _shelf(TEE=5, MUG=5)
    held = _held(shelf, TEE=3, MUG=1).reservation
    part = (StockItem(sku="TEE", quantity=2),)
    command = build.release_stock(held.order_id, items=part)

    released = release(held, command, (), shelf)

    assert released.reservation.state is State.HELD
    assert [(item.sku, item.held) for item in released.reservation.items] == [
        ("MUG", 1),
        ("TEE", 1),
    ]


@pytest.mark.parametrize(
    "too_much", [StockItem(sku="TEE", quantity=4), StockItem(sku="CAP", quantity=1)]
)
def test_more_than_is_held_is_never_released(too_much: StockItem) -> None:
    shelf = _shelf(TEE=5)
    held = _held(shelf, TEE=3).reservation

    with pytest.raises(ReleaseExceedsReservation):
        release(held, build.release_stock(held.order_id, items=(too_much,)), (), shelf)
    assert shelf.available("TEE") == 2


def test_a_repeated_release_is_told_what_the_first_one_gave_back() -> None:
    shelf = _shelf(TEE=5)
    held = _held(shelf, TEE=3).reservation
    command = build.release_stock(held.order_id)
    first = release(held, command, (), shelf)
    done = (StockItem(sku="TEE", quantity=3),)

    again = release(first.reservation, command, done, shelf)

    assert again.event == first.event
    assert shelf.available("TEE") == 5


def test_a_release_that_comes_first_leaves_a_tombstone() -> None:
    shelf = _shelf(TEE=5)
    claimed = _claimed()

    tombstone = release(claimed, build.release_stock(claimed.order_id), (), shelf)
    late = reserve(tombstone.reservation, build.reserve_stock(claimed.order_id, TEE=1), shelf)

    assert isinstance(tombstone.event, StockReleased)
    assert isinstance(late.event, StockRejected)
    assert (late.event.code, late.event.short) == ("superseded", ())
    assert (late.reservation.state, shelf.available("TEE")) == (State.CLOSED, 5)


def test_a_rejected_reservation_has_nothing_to_release() -> None:
    shelf = _shelf(TEE=0)
    rejected = _held(shelf, TEE=1).reservation

    released = release(rejected, build.release_stock(rejected.order_id), (), shelf)

    assert isinstance(released.event, StockReleased)
    assert released.event.items == ()
    assert released.reservation.state is State.REJECTED


def test_selling_out_and_coming_back_are_announced_once_each() -> None:
    shelf = _shelf(TEE=2, MUG=9)

    held = _held(shelf, TEE=2, MUG=1).reservation
    sold_out = shelf.announce_crossings()
    after = Shelf(shelf.changed())
    release(held, build.release_stock(held.order_id), (), after)
    back = after.announce_crossings()

    assert [(each.sku, each.available, each.sold_out) for each in sold_out] == [("TEE", 0, True)]
    assert [(each.sku, each.available, each.sold_out) for each in back] == [("TEE", 2, False)]
    assert after.sequence("TEE") == 2


def test_a_wave_that_ends_where_it_began_announces_nothing() -> None:
    shelf = _shelf(TEE=1)
    held = _held(shelf, TEE=1).reservation
    release(held, build.release_stock(held.order_id), (), shelf)

    assert shelf.announce_crossings() == []
    assert shelf.changed() == []
