"""No order of arrival loses money, holds it twice, or leaves it behind."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from libs.contracts.payments import PaymentAuthorised, PaymentDeclined, PaymentReduced
from libs.domain.payments.payment import State
from libs.foundation.ids import new_id
from tests.unit.payments.payment_world import Call, PaymentWorld

AMOUNT_MINOR = 1_999


class PaymentMachine(RuleBasedStateMachine):
    world: PaymentWorld

    @initialize(card=st.sampled_from(["good", "bad"]))
    def begin(self, card: str) -> None:
        now = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
        self.world = PaymentWorld(new_id(), now, card_is_good=card == "good")

    @rule()
    def authorise_arrives(self) -> None:
        self.world.deliver_authorise()

    @rule(number=st.integers(1, 2))
    def reduce_arrives(self, number: int) -> None:
        self.world.deliver_reduce(number)

    @precondition(lambda self: self.world.due())
    @rule()
    def a_dispatcher_claims(self) -> None:
        self.world.claim()

    @precondition(lambda self: self.world.uncalled())
    @rule(data=st.data(), call=st.sampled_from(Call))
    def a_call_is_made(self, data: st.DataObject, call: Call) -> None:
        self.world.call(data.draw(st.sampled_from(self.world.uncalled())), call)

    @precondition(lambda self: self.world.called())
    @rule(data=st.data())
    def an_outcome_is_recorded(self, data: st.DataObject) -> None:
        self.world.record(data.draw(st.sampled_from(self.world.called())))

    @precondition(lambda self: self.world.due())
    @rule(call=st.sampled_from(Call))
    def a_dispatcher_does_all_its_work(self, call: Call) -> None:
        self.world.claim()
        attempt = self.world.in_flight[-1]
        self.world.call(attempt, call)
        self.world.record(attempt)

    @precondition(lambda self: self.world.in_flight)
    @rule(data=st.data())
    def a_dispatcher_dies(self, data: st.DataObject) -> None:
        self.world.in_flight.remove(data.draw(st.sampled_from(self.world.in_flight)))

    @rule(minutes=st.integers(1, 20))
    def time_passes(self, minutes: int) -> None:
        self.world.now += timedelta(minutes=minutes)

    @invariant()
    def one_authorisation_at_most_is_live(self) -> None:
        held = [amount for amount in self.world.live.values() if amount != 0]
        assert held in ([], [AMOUNT_MINOR])

    @invariant()
    def amounts_stay_possible(self) -> None:
        payment = self.world.payment
        if payment is not None:
            assert 0 <= payment.released_minor <= payment.authorised_minor <= AMOUNT_MINOR
            assert payment.planned_minor in {0, AMOUNT_MINOR}

    @invariant()
    def no_money_is_announced_after_it_was_given_back(self) -> None:
        kinds = [type(event) for event in self.world.events]
        if PaymentReduced in kinds:
            after = kinds[kinds.index(PaymentReduced) :]
            assert PaymentAuthorised not in after

    @invariant()
    def nothing_that_happened_is_declared_timed_out(self) -> None:
        codes = {
            event.decline_code for event in self.world.events if isinstance(event, PaymentDeclined)
        }
        if "timed_out" in codes:
            assert not self.world.answers

    @invariant()
    def the_sequence_counts_the_events(self) -> None:
        payment = self.world.payment
        assert len(self.world.events) == (0 if payment is None else payment.sequence)

    def teardown(self) -> None:
        if not hasattr(self, "world") or self.world.payment is None:
            return
        # Calls that were under way arrive last of all: the provider knows their keys by then.
        self.world.settle_everything()
        for attempt in self.world.uncalled():
            self.world.call(attempt, Call.ANSWERED)
        for attempt in self.world.called():
            self.world.record(attempt)
        self._nothing_is_left_behind()

    def _nothing_is_left_behind(self) -> None:
        payment = self.world.payment
        assert payment is not None
        assert sum(self.world.live.values()) == payment.open_minor
        assert all(self.world.reductions.values())
        if self.world.reductions:
            assert payment.open_minor == 0
            assert payment.state in {State.VOIDED, State.DECLINED}
        else:
            assert payment.state in {State.AUTHORISED, State.DECLINED}


TestPayment = PaymentMachine.TestCase
TestPayment.settings = settings(max_examples=400, stateful_step_count=30, deadline=None)
