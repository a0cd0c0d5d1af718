"""No order of arrival loses money, takes it twice, or leaves it behind."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from libs.contracts.payments import (
    CaptureFailed,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEvent,
    PaymentReduced,
    RefundFailed,
    RefundSucceeded,
)
from libs.domain.payments.operation import Kind, Operation, OperationState, operation_key
from libs.domain.payments.payment import Payment, State
from libs.domain.payments.provider import Succeeded
from libs.foundation.ids import new_id
from libs.testkit.payments.commands import capture, reduce, refund
from tests.unit.payments.payment_world import Call, PaymentWorld

TOTAL = 1_000
# Each subject always asks for the same, as a repeated command does.
CAPTURES = {1: 300, 2: 700, 3: 1_000}
REFUNDS = {1: 100, 2: 300, 3: 800}
REDUCTIONS: dict[int, int | None] = {1: 200, 2: 700, 3: None, 4: None}


class PaymentMachine(RuleBasedStateMachine):
    world: PaymentWorld

    @initialize(card=st.sampled_from(["good", "good", "good", "bad"]))
    def begin(self, card: str) -> None:
        now = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
        self.world = PaymentWorld(UUID(int=7), now, card_is_good=card == "good", amount_minor=TOTAL)

    @rule()
    def authorise_arrives(self) -> None:
        self.world.deliver_authorise()

    @precondition(lambda self: self.world.payment)
    @rule(number=st.sampled_from(sorted(CAPTURES)))
    def capture_arrives(self, number: int) -> None:
        shipment_id = self._named(f"shipment {number}")
        command = capture(
            self.world.order_id, shipment_id=shipment_id, amount_minor=CAPTURES[number]
        )
        self.world.deliver_money(command, (shipment_id, 1))

    @precondition(lambda self: self.world.payment)
    @rule(number=st.sampled_from(sorted(REFUNDS)), attempt=st.integers(1, 2))
    def refund_arrives(self, number: int, attempt: int) -> None:
        refund_id = self._named(f"refund {number}")
        command = refund(
            self.world.order_id,
            refund_id=refund_id,
            attempt=attempt,
            amount_minor=REFUNDS[number],
        )
        self.world.deliver_money(command, (refund_id, attempt))

    @rule(number=st.sampled_from(sorted(REDUCTIONS)))
    def reduce_arrives(self, number: int) -> None:
        amount, payment = REDUCTIONS[number], self.world.payment
        possible = payment is not None and (
            payment.state is State.VOIDED or payment.planned_minor >= (amount or 0)
        )
        reduction_id = self._named(f"reduction {number}")
        if amount is None or possible or reduction_id in self.world.reductions:
            command = reduce(self.world.order_id, reduction_id, amount_minor=amount)
            self.world.deliver_reduce(command)

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

    @precondition(lambda self: self.world.book.answers)
    @rule(data=st.data())
    def a_webhook_arrives(self, data: st.DataObject) -> None:
        self.world.webhook(data.draw(st.sampled_from(list(self.world.book.answers))))

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

    @rule(minutes=st.integers(1, 40))
    def time_passes(self, minutes: int) -> None:
        self.world.now += timedelta(minutes=minutes)

    @invariant()
    def amounts_stay_possible(self) -> None:
        payment = self.world.payment
        if payment is not None:
            assert 0 <= payment.due_minor <= payment.planned_minor <= TOTAL
            assert payment.open_minor >= 0
            assert payment.returned_minor + payment.refunded_minor <= payment.captured_minor

    @invariant()
    def one_operation_at_most_has_begun(self) -> None:
        begun = [each for each in self.world.operations.values() if each.next_at is not None]
        assert len(begun) <= 1

    @invariant()
    def answers_come_in_the_order_of_the_commands(self) -> None:
        first: list[tuple[UUID, int]] = []
        for event in self.world.events:
            subject = subject_of(event)
            if subject is not None and subject not in first:
                first.append(subject)
        assert first == self.world.asked[: len(first)]

    @invariant()
    def a_repeat_never_gets_another_answer(self) -> None:
        told: dict[tuple[UUID, int], tuple[type[PaymentEvent], str | None]] = {}
        for event in self.world.events:
            subject = subject_of(event)
            if subject is not None:
                said = (type(event), getattr(event, "code", None))
                assert told.setdefault(subject, said) == said

    @invariant()
    def no_new_money_is_told_after_all_of_it_was_given_back(self) -> None:
        told: set[tuple[UUID, int] | None] = set()
        given_back = False
        for event in self.world.events:
            if isinstance(event, PaymentCaptured) and given_back:
                assert subject_of(event) in told
            told.add(subject_of(event))
            given_back |= isinstance(event, PaymentReduced) and event.amounts.planned.amount == 0

    @invariant()
    def nothing_that_happened_is_told_to_have_failed(self) -> None:
        for event in self.world.events:
            key = failed_key(event)
            if key is not None:
                assert not isinstance(self.world.book.answers.get(key), Succeeded)

    @invariant()
    def a_released_shipment_is_paid(self) -> None:
        for event in self.world.events:
            if isinstance(event, PaymentCaptured):
                kept = event.amounts.captured.amount - event.amounts.returned.amount
                assert kept >= event.amounts.due.amount

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
        for key in list(self.world.book.answers):
            self.world.webhook(key)
        self.nothing_that_happened_is_told_to_have_failed()
        self._nothing_is_left_to_do(self.world.payment)
        self._both_books_agree(self.world.payment)

    def _nothing_is_left_to_do(self, payment: Payment) -> None:
        assert payment.excess_minor == 0
        assert all(each.answered for each in self.world.reductions.values())
        assert {subject_of(event) for event in self.world.events} >= set(self.world.asked)
        assert payment.state is not State.PENDING
        plan_is_reached = payment.kept_minor >= payment.planned_minor
        assert payment.open_minor == 0 or not plan_is_reached
        if payment.refunded_minor <= payment.due_minor:
            assert payment.kept_minor == payment.due_minor

    def _both_books_agree(self, payment: Payment) -> None:
        book = self.world.book
        assert (payment.authorised_minor, payment.captured_minor, payment.released_minor) == (
            book.authorised,
            book.captured,
            book.released,
        )
        assert payment.returned_minor + payment.refunded_minor == book.refunded
        succeeded = [
            each
            for each in self.world.operations.values()
            if each.state is OperationState.SUCCEEDED
        ]
        assert {each.key: (each.kind, each.amount_minor) for each in succeeded} == book.done
        assert payment.refunded_minor == total(succeeded, Kind.REFUND)

    def _named(self, name: str) -> UUID:
        return uuid5(self.world.order_id, name)


def subject_of(event: PaymentEvent) -> tuple[UUID, int] | None:
    match event:
        case PaymentCaptured() | CaptureFailed():
            return event.shipment_id, 1
        case RefundSucceeded() | RefundFailed():
            return event.refund_id, event.attempt
        case PaymentReduced():
            return event.reduction_id, 1
        case _:
            return None


def failed_key(event: PaymentEvent) -> UUID | None:
    match event:
        case PaymentDeclined(decline_code="superseded"):
            return None
        case PaymentDeclined():
            return operation_key(event.order_id, Kind.AUTHORISE, event.order_id)
        case CaptureFailed():
            return operation_key(event.order_id, Kind.CAPTURE, event.shipment_id)
        case RefundFailed():
            return operation_key(event.order_id, Kind.REFUND, event.refund_id, event.attempt)
        case _:
            return None


def total(operations: list[Operation], kind: Kind) -> int:
    return sum(each.amount_minor for each in operations if each.kind is kind)


def test_authorised_money_is_never_told_after_the_tombstone() -> None:
    now = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    world = PaymentWorld(new_id(), now, card_is_good=True, amount_minor=TOTAL)
    world.deliver_reduce(reduce(world.order_id))

    world.deliver_authorise()

    assert PaymentAuthorised not in {type(event) for event in world.events}
    assert world.due() == []


TestPayment = PaymentMachine.TestCase
TestPayment.settings = settings(max_examples=4000, stateful_step_count=40, deadline=None)
