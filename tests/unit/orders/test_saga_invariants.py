"""No order of arrival breaks the domain: stock, money and timeline hold at every step."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from libs.contracts.messages import Message
from libs.domain.inventory.reservation import State
from libs.domain.orders.order import Line
from libs.domain.orders.saga import STEP_LATE, Situation, Step
from libs.domain.orders.status import CLOSED, NEXT, Status
from libs.testkit import build
from tests.unit.orders.saga_world import World

SKUS = ("TEE", "MUG")
OUTCOMES = ("authorised", "card_declined", "timed_out", "unresolved")
LINES = st.lists(
    st.builds(
        build.line,
        st.sampled_from(SKUS),
        st.integers(1, 3),
        st.sampled_from([0, 999, 1_000]),
        stock_tracked=st.booleans(),
    ),
    min_size=1,
    max_size=3,
)
REST_DELIVERIES_MAX = 500


class SagaMachine(RuleBasedStateMachine):
    """Places, cancels, delays, repeats and reorders; checks after each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World({})

    @initialize(tees=st.integers(0, 6), mugs=st.integers(0, 6))
    def stock_the_shelf(self, tees: int, mugs: int) -> None:
        self.world = World({"TEE": tees, "MUG": mugs})

    @rule(lines=LINES)
    def place(self, lines: list[Line]) -> None:
        self.world.place(tuple(lines))

    @precondition(lambda self: self.world.in_flight)
    @rule(data=st.data(), again=st.booleans())
    def deliver(self, data: st.DataObject, *, again: bool) -> None:
        self._deliver(data.draw(st.integers(0, len(self.world.in_flight) - 1)), again=again)

    @precondition(lambda self: self._open())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.world.cancel(data.draw(st.sampled_from(self._open())))

    @rule(outcome=st.sampled_from(OUTCOMES))
    def let_the_provider_answer(self, outcome: str) -> None:
        self.world.provider_outcome = outcome

    @rule(minutes=st.integers(1, 90))
    def let_time_pass(self, minutes: int) -> None:
        self.world.look_for_late_steps(timedelta(minutes=minutes))

    @invariant()
    def stock_equals_its_ledger(self) -> None:
        moved = Counter[str]()
        for movement in self.world.movements:
            moved[movement.sku] += movement.reserved_delta
        held = Counter[str]()
        for reservation in self.world.reservations.values():
            for item in reservation.items:
                held[item.sku] += item.held
        for sku, stock in self.world.stock.items():
            assert stock.reserved == moved[sku] == held[sku]
            assert 0 <= stock.reserved <= stock.on_hand

    @invariant()
    def each_movement_happens_once(self) -> None:
        names = Counter((move.kind, move.reference, move.sku) for move in self.world.movements)

        assert set(names.values()) <= {1}

    @invariant()
    def timelines_have_no_gap_and_follow_the_statuses(self) -> None:
        for order_id, situation in self.world.orders.items():
            statuses = [Status.PENDING]
            for version, entry in enumerate(self.world.timelines[order_id], start=2):
                assert entry.event.version == version
                statuses.append(Status(entry.event.status))
            assert statuses[-1] is situation.order.status
            assert situation.order.version == len(statuses)
            for before, after in pairwise(statuses):
                assert after is before or after in NEXT[before]

    @invariant()
    def a_confirmed_order_has_its_stock_and_its_money(self) -> None:
        for order_id, situation in self.world.orders.items():
            if situation.order.status is not Status.CONFIRMED:
                continue
            sold = Counter[str]()
            for line in situation.lines:
                sold[line.sku] += line.quantity if line.stock_tracked else 0
            items = self.world.reservations[order_id].items if +sold else ()
            assert {item.sku: item.held for item in items} == +sold
            if situation.order.total_minor > 0:
                payment = self.world.payments[order_id]
                assert payment.authorised_minor == situation.order.total_minor
                assert payment.released_minor == 0

    @invariant()
    def a_late_step_is_flagged_once_and_only_while_it_lasts(self) -> None:
        for situation in self.world.orders.values():
            flags = situation.order.attention
            assert len(set(flags)) == len(flags)
            assert situation.saga.deadline_at is None or STEP_LATE not in flags

    @invariant()
    def a_cancellation_takes_back_exactly_the_total(self) -> None:
        for order_id, value_minor in self.world.cancelled_minor.items():
            assert value_minor == self.world.orders[order_id].order.total_minor

    def teardown(self) -> None:
        """Deliver what is left: then nothing is pending, and closed orders hold nothing."""
        for _ in range(REST_DELIVERIES_MAX):
            if not self.world.in_flight:
                break
            self._deliver(0, again=False)
        assert self.world.in_flight == []
        for order_id, situation in self.world.orders.items():
            assert situation.saga.step in {Step.CONFIRMED, Step.DONE}
            assert situation.saga.deadline_at is None
            assert situation.order.attention == ()
            if situation.order.status in CLOSED:
                self._demand_nothing_held(order_id)

    def _demand_nothing_held(self, order_id: str) -> None:
        reservation = self.world.reservations.get(order_id)
        if reservation is not None:
            assert reservation.state in {State.CLOSED, State.REJECTED}
            assert all(item.held == 0 for item in reservation.items)
        payment = self.world.payments.get(order_id)
        if payment is not None:
            assert payment.authorised_minor == payment.released_minor

    def _deliver(self, index: int, *, again: bool) -> None:
        message: Message = self.world.in_flight[index]
        if not again:
            del self.world.in_flight[index]
        self.world.deliver(message)

    def _open(self) -> list[Situation]:
        return [each for each in self.world.orders.values() if not each.order.closed]


TestSaga = SagaMachine.TestCase
TestSaga.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
