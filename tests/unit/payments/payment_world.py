"""A world around the pure payment core: rows, a provider, and dispatchers that die or dawdle.

It does what the SQL does, row by row, so that every order of arrival can be tried without a
database: commands come twice and in any order, calls are lost before or after their effect,
outcomes and webhooks are recorded late, twice, in any order, or never.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.payments import PaymentEvent, ReducePayment
from libs.domain.payments import commands
from libs.domain.payments.agenda import Agenda, Reduction
from libs.domain.payments.change import Change
from libs.domain.payments.commands import MoneyCommand
from libs.domain.payments.operation import NEWEST, Operation, OperationState
from libs.domain.payments.payment import Payment
from libs.domain.payments.provider import (
    Accepted,
    Declined,
    NotExecuted,
    Outcome,
    Succeeded,
    Unknown,
)
from libs.domain.payments.settlement import Attempted, Patience, settle
from libs.testkit.payments.commands import authorise
from tests.unit.payments.provider_book import ProviderBook

PATIENCE = Patience(authorise=timedelta(minutes=15), capture=timedelta(minutes=30))


class Call(StrEnum):
    """What happens to one call."""

    ANSWERED = "answered"
    DECLINED = "declined"
    REFUSED = "refused"
    LOST_BEFORE = "lost-before"
    LOST_AFTER = "lost-after"
    ACCEPTED = "accepted"


class InFlight(Struct, kw_only=True):
    """One attempt of a dispatcher that may be slow or dead; `outcome` once its call is over."""

    operation: Operation
    outcome: Outcome | None = None


class PaymentWorld:
    """One order's payment, at our side and at the provider's."""

    def __init__(
        self, order_id: UUID, now: datetime, *, card_is_good: bool, amount_minor: int
    ) -> None:
        self.order_id = order_id
        self.now = now
        self.card_is_good = card_is_good
        self.amount_minor = amount_minor
        self.payment: Payment | None = None
        self.operations: dict[UUID, Operation] = {}
        self.reductions: dict[UUID, Reduction] = {}
        self.events: list[PaymentEvent] = []
        self.asked: list[tuple[UUID, int]] = []  # Subject and attempt, in command order.
        self.in_flight: list[InFlight] = []
        self.book = ProviderBook()
        self._turns = count(1)

    def deliver_authorise(self) -> None:
        command = authorise(self.order_id, now=self.now, amount_minor=self.amount_minor)
        if self.payment is not None:
            self._apply(commands.authorise_again(self.payment))
            return
        self._apply(
            commands.authorise(
                commands.begin(command),
                command,
                self.now,
                providers=frozenset({"simulator"}),
                traceparent=None,
            )
        )

    def deliver_money(self, command: MoneyCommand, subject: tuple[UUID, int]) -> None:
        assert self.payment is not None
        known = self.operations.get(commands.key_of(command))
        if known is not None:
            self._apply(commands.move_money_again(self.payment, known, command))
            return
        self.asked.append(subject)
        operation = commands.operation_of(self.payment, command, None)
        self._apply(commands.move_money(self.payment, self.agenda(), operation, self.now))

    def deliver_reduce(self, command: ReducePayment) -> None:
        payment = self.payment or commands.tombstone(command)
        amount_minor = None if command.amount is None else command.amount.amount
        known = self.reductions.get(command.reduction_id)
        if known is not None:
            self._apply(commands.reduce_again(payment, known, amount_minor))
            return
        reduction = Reduction(
            order_id=self.order_id,
            reduction_id=command.reduction_id,
            amount_minor=amount_minor,
            turn=next(self._turns),
        )
        self.asked.append((reduction.reduction_id, 1))
        self.reductions[reduction.reduction_id] = reduction
        self._apply(commands.reduce(payment, self.agenda(), reduction, self.now, None))

    def agenda(self) -> Agenda:
        return Agenda.of(list(self.operations.values()), list(self.reductions.values()))

    def due(self) -> list[Operation]:
        return [each for each in self.operations.values() if each.next_at is not None]

    def uncalled(self) -> list[InFlight]:
        return [each for each in self.in_flight if each.outcome is None]

    def called(self) -> list[InFlight]:
        return [each for each in self.in_flight if each.outcome is not None]

    def claim(self) -> bool:
        """Claim what is due, also from a dispatcher that seems dead; say whether there was any."""
        due = self.due()
        if not due:
            return False
        [operation] = due
        was_sent = operation.state is OperationState.SENT
        first_attempt_at = operation.first_attempt_at
        if was_sent:
            first_attempt_at = first_attempt_at or operation.sent_at
        claimed = replace(
            operation,
            state=OperationState.SENT,
            attempts=operation.attempts + 1,
            sent_at=self.now,
            possibly_executed=operation.possibly_executed or was_sent,
            first_attempt_at=first_attempt_at,
        )
        self.operations[operation.key] = claimed
        self.in_flight.append(InFlight(operation=claimed))
        return True

    def call(self, attempt: InFlight, call: Call) -> None:
        """Ask the provider first where an earlier call may have arrived, as the product does."""
        operation = attempt.operation
        known = self.book.answers.get(operation.key)
        if operation.possibly_executed and known is not None:
            attempt.outcome = known
            return
        match call:
            case Call.REFUSED:
                attempt.outcome = NotExecuted(reason="refused")
            case Call.LOST_BEFORE:
                attempt.outcome = Unknown(reason="lost")
            case Call.LOST_AFTER:
                self._execute(operation)
                attempt.outcome = Unknown(reason="lost")
            case Call.ACCEPTED:
                self._execute(operation)
                attempt.outcome = Accepted()
            case Call.ANSWERED:
                attempt.outcome = self._execute(operation)
            case Call.DECLINED:
                attempt.outcome = self._execute(operation, willing=False)

    def record(self, attempt: InFlight) -> None:
        """Record an outcome; the attempt stays, so that it may be recorded again."""
        assert attempt.outcome is not None
        self._settle(attempt.operation.key, attempt.operation.attempts, attempt.outcome)

    def webhook(self, key: UUID) -> None:
        """Deliver what the provider has to say of a key, however often it said so before."""
        self._settle(key, 0, self.book.answers[key])

    def settle_everything(self) -> None:
        """Let a healthy dispatcher and a healthy provider finish."""
        for _ in range(50):
            if not self.claim():
                return
            attempt = self.in_flight.pop()
            self.call(attempt, Call.ANSWERED)
            self.record(attempt)
        raise AssertionError("it never comes to rest")

    def _settle(self, key: UUID, attempt: int, outcome: Outcome) -> None:
        assert self.payment is not None
        change = settle(
            self.payment,
            self.operations[key],
            self.agenda(),
            Attempted(
                key=key,
                order_id=self.order_id,
                attempt=attempt,
                outcome=outcome,
                next_at=self.now,
            ),
            now=self.now,
            patience=PATIENCE,
        )
        if change is not None:
            self._apply(change)

    def _execute(self, operation: Operation, *, willing: bool = True) -> Succeeded | Declined:
        return self.book.execute(operation, willing=willing and self.card_is_good)

    def _apply(self, change: Change) -> None:
        self.payment = change.payment
        for updated in change.updated:
            assert self.operations[updated.key].resolvable
            self.operations[updated.key] = updated
        for new in change.queued:
            assert new.key not in self.operations
            assert new.turn == NEWEST
            self.operations[new.key] = replace(new, turn=next(self._turns))
        for reduction_id in change.answered:
            answered = replace(self.reductions[reduction_id], answered=True)
            self.reductions[reduction_id] = answered
        self.events.extend(change.events)
