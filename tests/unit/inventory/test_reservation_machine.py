"""No order of commands, repeats or refusals breaks the stock: S1 to S5 hold at every step."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from libs.contracts.inventory import (
    ReleaseStock,
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
from libs.domain.inventory.errors import ExceedsReservation
from libs.domain.inventory.stock import MovementKind
from libs.foundation.ids import new_id
from libs.testkit import build
from tests.unit.inventory.warehouse import Command, Warehouse

SKUS = ("TEE", "MUG")
QUANTITIES = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 3), min_size=1)
ANSWERS = {
    ReserveStock: (StockReserved, StockRejected),
    ReleaseStock: (StockReleased,),
    ShipStock: (StockShipped,),
    ReturnStock: (StockReturned,),
}


class ReservationMachine(RuleBasedStateMachine):
    """Sends every command at any time, also for orders nobody has heard of, and again later."""

    orders = Bundle[ReserveStock]("orders")
    sent = Bundle[Command]("sent")

    def __init__(self) -> None:
        super().__init__()
        self.warehouse = Warehouse({})
        self.answers: dict[int, object] = {}

    @initialize(tees=st.integers(0, 9), mugs=st.integers(0, 9))
    def stock_the_shelf(self, tees: int, mugs: int) -> None:
        self.warehouse = Warehouse({"TEE": tees, "MUG": mugs})

    @rule(target=orders, quantities=QUANTITIES)
    def order(self, quantities: dict[str, int]) -> ReserveStock:
        return build.reserve_stock(**quantities)

    @rule(target=sent, command=orders)
    def reserve(self, command: ReserveStock) -> Command:
        return self._send(command)

    @rule(target=sent, order=orders)
    def release(self, order: ReserveStock) -> Command:
        return self._send(build.release_stock(order.order_id))

    @rule(target=sent, order=orders, quantities=QUANTITIES)
    def release_a_part(self, order: ReserveStock, quantities: dict[str, int]) -> Command:
        items = tuple(StockItem(sku=sku, quantity=pieces) for sku, pieces in quantities.items())
        return self._send(build.release_stock(order.order_id, items=items))

    @rule(target=sent, order=orders, quantities=QUANTITIES)
    def ship(self, order: ReserveStock, quantities: dict[str, int]) -> Command:
        return self._send(build.ship_stock(order.order_id, new_id(), **quantities))

    @rule(target=sent, order=orders)
    def ship_all(self, order: ReserveStock) -> Command:
        quantities = {item.sku: item.quantity for item in order.items}
        return self._send(build.ship_stock(order.order_id, new_id(), **quantities))

    @rule(target=sent, order=orders, quantities=QUANTITIES)
    def take_back(self, order: ReserveStock, quantities: dict[str, int]) -> Command:
        return self._send(build.return_stock(order.order_id, new_id(), **quantities))

    @rule(command=sent)
    def send_again(self, command: Command) -> None:
        self._send(command)

    @invariant()
    def stock_is_its_ledger_and_never_oversold(self) -> None:
        on_hand, reserved = Counter(self.warehouse.received), Counter[str]()
        for move in self.warehouse.movements:
            on_hand[move.sku] += move.on_hand_delta
            reserved[move.sku] += move.reserved_delta
        for sku, stock in self.warehouse.stock.items():
            assert (stock.on_hand, stock.reserved) == (on_hand[sku], reserved[sku])
            assert 0 <= stock.reserved <= stock.on_hand

    @invariant()
    def what_is_reserved_is_what_reservations_hold(self) -> None:
        held = Counter[str]()
        for reservation in self.warehouse.reservations.values():
            for item in reservation.items:
                assert min(item.shipped, item.released, item.returned, item.held) >= 0
                assert item.returned <= item.quantity - item.released
                held[item.sku] += item.held
        for sku, stock in self.warehouse.stock.items():
            assert stock.reserved == held[sku]

    @invariant()
    def movements_are_the_counters_of_the_items(self) -> None:
        moved = Counter[tuple[MovementKind, str]]()
        counted = Counter[tuple[MovementKind, str]]()
        for move in self.warehouse.movements:
            moved[move.kind, move.sku] += abs(move.on_hand_delta or move.reserved_delta)
        for reservation in self.warehouse.reservations.values():
            for item in reservation.items:
                counted[MovementKind.RESERVE, item.sku] += item.quantity
                counted[MovementKind.RELEASE, item.sku] += item.released
                counted[MovementKind.SHIP, item.sku] += item.shipped
                counted[MovementKind.RETURN, item.sku] += item.returned
        assert +moved == +counted

    @invariant()
    def nothing_is_moved_twice(self) -> None:
        names = Counter((move.kind, move.reference, move.sku) for move in self.warehouse.movements)
        assert set(names.values()) <= {1}

    def _send(self, command: Command) -> Command:
        """Whatever is refused leaves no trace, and whatever was answered is answered the same."""
        before = (self.warehouse.stock, dict(self.warehouse.reservations))
        moves = len(self.warehouse.movements)
        try:
            answer = self.warehouse.handle(command)
        except ExceedsReservation:
            assert before == (self.warehouse.stock, self.warehouse.reservations)
            assert moves == len(self.warehouse.movements)
            return command
        assert isinstance(answer, ANSWERS[type(command)])
        if isinstance(command, ReserveStock | ShipStock | ReturnStock):
            assert self.answers.setdefault(id(command), answer) == answer
        return command


TestReservation = ReservationMachine.TestCase
TestReservation.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
