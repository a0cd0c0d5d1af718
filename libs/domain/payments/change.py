"""One decision about one payment: what becomes of it, of its operations, and what is told."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.payments import PaymentEvent
from libs.domain.payments.agenda import Agenda, advance
from libs.domain.payments.operation import NEWEST, Operation
from libs.domain.payments.payment import Payment


class Change(Struct, frozen=True, kw_only=True):
    """What a decision leaves to write; `answered` are the reductions its events answer.

    `resolved` is the operation an outcome was about, `moved` are others of the payment that took
    their turn, `queued` are new ones.
    """

    payment: Payment
    resolved: Operation | None = None
    moved: tuple[Operation, ...] = ()
    queued: tuple[Operation, ...] = ()
    answered: tuple[UUID, ...] = ()
    events: tuple[PaymentEvent, ...] = ()
    traceparent: str | None = None

    @property
    def updated(self) -> tuple[Operation, ...]:
        """The stored operations it changes."""
        return self.moved if self.resolved is None else (self.resolved, *self.moved)


def answer(payment: Payment, events: Iterable[PaymentEvent]) -> Change:
    """Tell something of a payment that does not change."""
    told = tuple(events)
    return Change(payment=payment.announced(len(told)), events=told)


def carry_on(
    change: Change, agenda: Agenda, *, now: datetime, ended: Operation | None = None
) -> Change:
    """Add to a change what the next turns come to, and count all its events."""
    progress = advance(change.payment, agenda, now=now, traceparent=change.traceparent, ended=ended)
    stored = tuple(each for each in progress.moved if each.turn != NEWEST)
    new = [each for each in progress.moved if each.turn == NEWEST]
    # A new operation that did not get its turn is stored all the same: it waits.
    taken = {each.key for each in new}
    new += [
        entry
        for entry in agenda.waiting
        if isinstance(entry, Operation) and entry.turn == NEWEST and entry.key not in taken
    ]
    events = (*change.events, *progress.events)
    return replace(
        change,
        payment=change.payment.announced(len(events)),
        moved=(*change.moved, *stored),
        queued=(*change.queued, *new, *([progress.queued] if progress.queued else [])),
        answered=(*change.answered, *progress.answered),
        events=events,
    )
