"""What must hold of the world's books: stock at every step, the rest once nothing is in flight."""

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from libs.contracts.inventory import StockItem
from libs.domain.inventory.reservation import State
from libs.domain.inventory.stock import MovementKind
from libs.domain.orders.attention import CAPTURE_FAILED, REFUND_FAILED
from libs.domain.orders.order import Line
from libs.domain.orders.saga import Situation
from tests.unit.inventory.warehouse import Warehouse
from tests.unit.orders.saga_world import World


def numbered(lines: Sequence[Line]) -> tuple[Line, ...]:
    return tuple(replace(line, line_no=number) for number, line in enumerate(lines, start=1))


def sold(situation: Situation) -> dict[str, int]:
    """Return the tracked pieces of an order, by SKU."""
    pieces = Counter[str]()
    for line in situation.lines:
        if line.stock_tracked:
            pieces[line.sku] += line.quantity
    return dict(pieces)


def some_late(situation: Situation) -> bool:
    parts = (*situation.shipments, *situation.refunds)
    saga = situation.saga
    return (saga.waiting and saga.deadline_at is None) or any(
        each.waiting and each.late_at is None for each in parts
    )


def check_ledger(warehouse: Warehouse) -> None:
    """S1 to S3, and that nothing is moved twice."""
    on_hand, reserved, held = Counter(warehouse.received), Counter[str](), Counter[str]()
    for move in warehouse.movements:
        on_hand[move.sku] += move.on_hand_delta
        reserved[move.sku] += move.reserved_delta
    for reservation in warehouse.reservations.values():
        assert (reservation.state is State.HELD) is any(item.held for item in reservation.items)
        for item in reservation.items:
            held[item.sku] += item.held
            assert 0 <= item.returned <= item.quantity - item.released
    for sku, stock in warehouse.stock.items():
        assert stock.on_hand == on_hand[sku]
        assert stock.reserved == reserved[sku] == held[sku]
        assert 0 <= stock.reserved <= stock.on_hand
    names = Counter((move.kind, move.reference, move.sku) for move in warehouse.movements)
    assert set(names.values()) <= {1}


def check_order(world: World, situation: Situation) -> None:
    """S4, S5, M7, M8 and O3 of an order about which nothing is in flight."""
    assert not any(part.waiting for part in (*situation.shipments, *situation.refunds))
    assert set(situation.order.attention) <= {CAPTURE_FAILED, REFUND_FAILED}
    released = [each for each in situation.shipments if each.released]
    shipped = [world.warehouse.moved(MovementKind.SHIP, each.id) for each in released]
    assert _summed(shipped) == (sold(situation) if released else {})
    returned = [world.warehouse.moved(MovementKind.RETURN, each.id) for each in situation.refunds]
    restocked = Counter[str]()
    for line in situation.lines:
        restocked[line.sku] += line.restocked
    assert _summed(returned) == dict(+restocked)
    payment = world.provider.payments.get(situation.order.aggregate_id)
    if payment is not None:
        succeeded = [each for each in situation.refunds if each.state.value == "succeeded"]
        assert payment.captured_minor == situation.due_minor
        assert payment.refunded_minor == sum(each.amount_minor for each in succeeded)
        assert payment.refunded_minor == situation.order.refunded_minor
        if situation.due_minor > 0:
            assert payment.captured_minor == situation.order.captured_minor


def check_nothing_held(world: World, situation: Situation) -> None:
    """O2: what a rejected or cancelled order held is given back."""
    reservation = world.warehouse.reservations.get(situation.order.aggregate_id)
    if reservation is not None:
        assert reservation.state in {State.CLOSED, State.REJECTED}
        assert all(item.held == 0 for item in reservation.items)
    payment = world.provider.payments.get(situation.order.aggregate_id)
    if payment is not None:
        assert payment.captured_minor == 0
        assert payment.authorised_minor == payment.released_minor


def _summed(moved: Sequence[Sequence[StockItem]]) -> dict[str, int]:
    pieces = Counter[str]()
    for items in moved:
        for item in items:
            pieces[item.sku] += item.quantity
    return dict(pieces)
