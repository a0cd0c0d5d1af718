"""A world around the pure payment core: rows, a provider, and dispatchers that die or dawdle.

It does what the SQL does, row by row, so that every order of arrival can be tried without a
database: commands come twice and in any order, calls are lost before or after their effect,
outcomes are recorded late, twice, in any order, or never.
"""

from collections import Counter
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.payments import PaymentEvent
from libs.domain.payments import commands
from libs.domain.payments.change import Change
from libs.domain.payments.operation import Kind, Operation, OperationState
from libs.domain.payments.payment import Payment
from libs.domain.payments.provider import (
    Accepted,
    Declined,
    NotExecuted,
    Outcome,
    Succeeded,
    Unknown,
)
from libs.domain.payments.settlement import Attempted, settle
from libs.testkit.payments.commands import authorise, reduce

PATIENCE = timedelta(minutes=15)


class Call(StrEnum):
    """What happens to one call."""

    ANSWERED = "answered"
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

    def __init__(self, order_id: UUID, now: datetime, *, card_is_good: bool) -> None:
        self.order_id = order_id
        self.now = now
        self.card_is_good = card_is_good
        self.payment: Payment | None = None
        self.operations: dict[UUID, Operation] = {}
        self.reductions: dict[UUID, bool] = {}  # True once answered.
        self.events: list[PaymentEvent] = []
        self.in_flight: list[InFlight] = []
        self.answers: dict[UUID, Outcome] = {}  # What the provider did under each key.
        self.live: Counter[str] = Counter()

    def deliver_authorise(self) -> None:
        command = authorise(self.order_id, now=self.now)
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

    def deliver_reduce(self, number: int) -> None:
        command = reduce(self.order_id, uuid5(self.order_id, f"reduction {number}"))
        payment = self.payment or commands.tombstone(command)
        answered = self.reductions.get(command.reduction_id)
        if answered is not None:
            self._apply(commands.reduce_again(payment, command.reduction_id, answered=answered))
            return
        self.reductions[command.reduction_id] = False
        unresolved = [
            each
            for each in self.operations.values()
            if each.resolvable or each.state is OperationState.MANUAL
        ]
        assert len(unresolved) <= 1
        self._apply(
            commands.reduce(
                payment,
                unresolved[0] if unresolved else None,
                command,
                self.waiting(),
                self.now,
                None,
            )
        )

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
        known = self.answers.get(operation.key)
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

    def record(self, attempt: InFlight) -> None:
        """Record an outcome; the attempt stays, so that it may be recorded again."""
        assert self.payment is not None
        assert attempt.outcome is not None
        change = settle(
            self.payment,
            self.operations[attempt.operation.key],
            self.waiting(),
            Attempted(
                key=attempt.operation.key,
                order_id=self.order_id,
                attempt=attempt.operation.attempts,
                outcome=attempt.outcome,
                next_at=self.now,
            ),
            now=self.now,
            patience=PATIENCE,
        )
        if change is not None:
            self._apply(change)

    def waiting(self) -> tuple[UUID, ...]:
        return tuple(each for each, answered in self.reductions.items() if not answered)

    def settle_everything(self) -> None:
        """Let a healthy dispatcher and a healthy provider finish."""
        for _ in range(10):
            if not self.claim():
                return
            attempt = self.in_flight.pop()
            self.call(attempt, Call.ANSWERED)
            self.record(attempt)
        raise AssertionError("it never comes to rest")

    def _execute(self, operation: Operation) -> Outcome:
        if operation.key not in self.answers:
            self.answers[operation.key] = self._first(operation)
        return self.answers[operation.key]

    def _first(self, operation: Operation) -> Outcome:
        reference = operation.target_reference or f"auth_{operation.key.hex}"
        if operation.kind is Kind.RELEASE:
            self.live[reference] -= operation.amount_minor
            return Succeeded(reference=reference)
        if not self.card_is_good:
            return Declined(code="card_declined")
        self.live[reference] += operation.amount_minor
        return Succeeded(reference=reference)

    def _apply(self, change: Change) -> None:
        self.payment = change.payment
        if change.resolved is not None:
            assert self.operations[change.resolved.key].resolvable
            self.operations[change.resolved.key] = change.resolved
        if change.queued is not None:
            assert change.queued.key not in self.operations
            self.operations[change.queued.key] = change.queued
        for reduction_id in change.answered:
            self.reductions[reduction_id] = True
        self.events.extend(change.events)
