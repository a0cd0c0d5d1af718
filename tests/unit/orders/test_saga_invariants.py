"""No order of arrival breaks the domain: stock, money and timeline hold at every step."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise

import pytest
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
from libs.contracts.payments import AuthorisePayment, CapturePayment, RefundPayment
from libs.domain.orders.attention import CAPTURE_FAILED, REFUND_FAILED, STEP_LATE
from libs.domain.orders.errors import (
    QuantityUnavailable,
    RefundExceedsRefundable,
    ShipmentInProgress,
)
from libs.domain.orders.order import Line
from libs.domain.orders.refund import RefundReason
from libs.domain.orders.refunding import RefundWish
from libs.domain.orders.saga import Situation, Step
from libs.domain.orders.share import share
from libs.domain.orders.status import CLOSED, NEXT, IllegalTransition, Status
from libs.testkit import build
from tests.unit.orders import settled_books
from tests.unit.orders.provider_model import SUCCEED, UNRESOLVED
from tests.unit.orders.saga_world import DECIDE, World

SKUS = ("TEE", "MUG")
PROVIDED = st.sampled_from([SUCCEED, "card_declined", "timed_out", UNRESOLVED])
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
).map(settled_books.numbered)
WISHES = st.one_of(
    st.builds(RefundWish, reason=st.just(RefundReason.RETURN), restock=st.booleans()),
    st.builds(
        RefundWish,
        reason=st.just(RefundReason.GOODWILL),
        adjustment=st.integers(1, 1_500).map(build.euros),
    ),
)
GONE = frozenset({Status.SHIPPED, Status.COMPLETED, Status.REFUNDED})
REST_DELIVERIES_MAX = 500
ORDERS_MAX = 4


class SagaMachine(RuleBasedStateMachine):
    """Places, ships, refunds, cancels, delays, repeats, reorders and crashes; checks each step."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World({})

    @initialize(tees=st.integers(0, 9), mugs=st.integers(2, 9))
    def stock_the_shelf(self, tees: int, mugs: int) -> None:
        self.world = World({"TEE": tees, "MUG": mugs})
        self.world.place((build.line("GIFT", 3, 1_000, stock_tracked=False),), 490)
        self.let_the_network_catch_up()

    @precondition(lambda self: len(self.world.orders) < ORDERS_MAX)
    @rule(lines=LINES, shipping_minor=st.sampled_from([0, 490]))
    def place(self, lines: tuple[Line, ...], shipping_minor: int) -> None:
        self.world.place(lines, shipping_minor)

    @precondition(lambda self: self.world.in_flight)
    @rule(data=st.data(), again=st.booleans())
    def deliver(self, data: st.DataObject, *, again: bool) -> None:
        """Deliver a message, perhaps to one that dies after its commit and gets it again."""
        self._deliver(self._drawn_index(data), again=again)

    @precondition(lambda self: self.world.in_flight)
    @rule()
    def let_the_network_catch_up(self) -> None:
        for _ in range(REST_DELIVERIES_MAX):
            if not self.world.in_flight:
                return
            self._deliver(0, again=False)

    @precondition(lambda self: self.world.in_flight)
    @rule(data=st.data())
    def die_before_the_commit(self, data: st.DataObject) -> None:
        message = self.world.in_flight[self._drawn_index(data)]
        if message.type in DECIDE:
            before = self.world.orders[message.subject]
            self.world.decide(message)
            assert self.world.orders[message.subject] == before

    @precondition(lambda self: self.world.orders and self.world.in_flight)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        now = self._drawn_order(data)
        in_a_shipment = any(line.shipped for line in now.lines)
        legal = Status.CANCELLED in NEXT[now.order.status] and not in_a_shipment
        self._expect(legal, lambda: self.world.cancel(now))

    @precondition(lambda self: self.world.orders)
    @rule(data=st.data(), outcome=PROVIDED)
    def ship(self, data: st.DataObject, outcome: str) -> None:
        now = self._drawn_order(data)
        legal = now.order.status is Status.CONFIRMED and not now.awaits_capture
        self.world.provider.outcomes[CapturePayment] = outcome
        self._expect(legal, lambda: self.world.ship(now))

    @precondition(lambda self: self._gone())
    @rule(data=st.data(), wish=WISHES, outcome=PROVIDED)
    def refund(self, data: st.DataObject, wish: RefundWish, outcome: str) -> None:
        now = data.draw(st.sampled_from(self._gone()))
        self.world.provider.outcomes[RefundPayment] = outcome
        if now.order.status is Status.REFUNDED:
            with pytest.raises(IllegalTransition):
                self.world.refund(now, wish)
            return
        with suppress(RefundExceedsRefundable, QuantityUnavailable):
            self.world.refund(now, wish)

    @precondition(lambda self: self._with_failed_refund())
    @rule(data=st.data(), again=st.booleans())
    def decide_about_a_failed_refund(self, data: st.DataObject, *, again: bool) -> None:
        now = data.draw(st.sampled_from(self._with_failed_refund()))
        refund = data.draw(st.sampled_from([each for each in now.refunds if each.failed]))
        if again:
            self.world.retry(now, refund)
        else:
            self.world.settle(now, refund)

    @precondition(lambda self: self._flagged())
    @rule(data=st.data())
    def clear_a_flag(self, data: st.DataObject) -> None:
        now = data.draw(st.sampled_from(self._flagged()))
        self.world.clear(now, data.draw(st.sampled_from(now.order.attention)))

    @rule(outcome=PROVIDED)
    def let_the_next_authorisation_end(self, outcome: str) -> None:
        self.world.provider.outcomes[AuthorisePayment] = outcome

    @rule(hours=st.sampled_from([1, 2, 24 * 5, 24 * 15]))
    def let_time_pass(self, hours: int) -> None:
        self.world.let_timers_run(timedelta(hours=hours))

    @invariant()
    def stock_equals_its_ledger(self) -> None:
        settled_books.check_ledger(self.world.warehouse)

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
            sold = settled_books.sold(situation)
            items = self.world.warehouse.reservations[order_id].items if sold else ()
            assert {item.sku: item.quantity - item.released for item in items} == sold
            if situation.order.total_minor > 0:
                payment = self.world.provider.payments[order_id]
                assert payment.authorised_minor == situation.order.total_minor
                assert payment.released_minor == 0

    @invariant()
    def counters_stay_within_each_other(self) -> None:
        for situation in self.world.orders.values():
            for line in situation.lines:
                assert line.shipped + line.cancelled <= line.quantity
                assert 0 <= line.restocked <= line.refunded <= line.shipped

    @invariant()
    def what_is_due_is_the_share_of_what_was_released_and_bounds_the_refunds(self) -> None:
        for order_id, now in self.world.orders.items():
            gone = now.order.status in GONE
            value = sum(
                share(line.total_minor, line.quantity, 0, line.shipped) for line in now.lines
            )
            assert now.due_minor == (value + now.order.shipping_total_minor if gone else 0)
            assert 0 <= sum(refund.amount_minor for refund in now.refunds) <= now.due_minor
            assert now.due_minor <= now.order.total_minor
            if now.due_minor > 0:
                payment = self.world.provider.payments[order_id]
                assert payment.captured_minor >= now.due_minor
                assert payment.refunded_minor <= payment.captured_minor

    @invariant()
    def an_order_is_refunded_exactly_when_all_that_was_due_is_given_back(self) -> None:
        for now in self.world.orders.values():
            if now.order.status in GONE:
                all_of_it = now.given_back_minor == now.due_minor > 0
                assert (now.order.status is Status.REFUNDED) is all_of_it

    @invariant()
    def flags_are_there_once_and_only_while_their_reason_lasts(self) -> None:
        for now in self.world.orders.values():
            flags = now.order.attention
            assert len(set(flags)) == len(flags)
            assert STEP_LATE not in flags or settled_books.some_late(now)
            if CAPTURE_FAILED in flags:
                assert now.order.status is Status.CONFIRMED
            if REFUND_FAILED in flags:
                assert any(refund.failed for refund in now.refunds)

    @invariant()
    def a_cancellation_takes_back_exactly_the_total(self) -> None:
        for order_id, value_minor in self.world.cancelled_minor.items():
            assert value_minor == self.world.orders[order_id].order.total_minor

    def teardown(self) -> None:
        """Deliver what is left: then nothing is pending, and the books agree."""
        self.let_the_network_catch_up()
        assert self.world.in_flight == []
        for situation in self.world.orders.values():
            assert situation.saga.step in {Step.CONFIRMED, Step.SHIPPED, Step.DONE}
            assert situation.saga.deadline_at is None
            settled_books.check_order(self.world, situation)
            if situation.order.status in CLOSED - GONE:
                settled_books.check_nothing_held(self.world, situation)

    def _deliver(self, index: int, *, again: bool) -> None:
        message: Message = self.world.in_flight[index]
        if not again:
            del self.world.in_flight[index]
        self.world.deliver(message)

    def _expect(self, legal: bool, act: Callable[[], None]) -> None:  # noqa: FBT001  # A guard.
        try:
            act()
        except (IllegalTransition, QuantityUnavailable, ShipmentInProgress):
            assert not legal
        else:
            assert legal

    def _drawn_index(self, data: st.DataObject) -> int:
        return data.draw(st.integers(0, len(self.world.in_flight) - 1))

    def _drawn_order(self, data: st.DataObject) -> Situation:
        return data.draw(st.sampled_from(list(self.world.orders.values())))

    def _gone(self) -> list[Situation]:
        return [each for each in self.world.orders.values() if each.order.status in GONE]

    def _with_failed_refund(self) -> list[Situation]:
        return [
            each
            for each in self.world.orders.values()
            if any(refund.failed for refund in each.refunds)
        ]

    def _flagged(self) -> list[Situation]:
        return [each for each in self.world.orders.values() if each.order.attention]


TestSaga = SagaMachine.TestCase
TestSaga.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
