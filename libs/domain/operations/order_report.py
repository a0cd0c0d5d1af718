"""What `orderly order show` tells, with stable names for machines."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.domain.inventory.sql.inspections import ReservationSeen
from libs.domain.orders.inspection import OrderFacts, waits_of
from libs.domain.orders.saga import Saga
from libs.domain.orders.sql.inspections import EntrySeen, OrderSeen
from libs.domain.orders.verdict import Verdict
from libs.domain.payments.inspection import PaymentFacts
from libs.domain.payments.sql.inspections import OperationSeen, PaymentSeen
from libs.foundation.messaging.journey.facts import Journey
from libs.foundation.messaging.replay.selection import Reader
from libs.foundation.messaging.sql.journeys import HeldRow, ParkedMessage, SentRow


class Reading(Struct, frozen=True, kw_only=True):
    """A consumer and a message it handles: `taken`, `parked` or `waiting`."""

    consumer: str
    state: str
    at: datetime | None


class Message(Struct, frozen=True, kw_only=True):
    """A row of the outbox on its way; `offset` is None where the brokers did not tell it."""

    seq: int
    id: UUID
    type: str
    written_at: datetime
    topic: str
    partition: int
    offset: int | None
    published: bool
    copy: bool
    readings: list[Reading]


class Timer(Struct, frozen=True, kw_only=True):
    """A deadline that is running, or has run out; without a time it has been flagged."""

    waits_for: str
    late_at: datetime | None
    late: bool


class Report(Struct, frozen=True, kw_only=True):
    """The whole answer. Of an order that was not found it is the verdict alone."""

    verdict: Verdict
    found_by: str | None = None
    order: OrderSeen | None = None
    saga: Saga | None = None
    timers: list[Timer] = []
    timeline: Sequence[EntrySeen] = ()
    reservation: ReservationSeen | None = None
    payment: PaymentSeen | None = None
    operations: Sequence[OperationSeen] = ()
    messages: list[Message] = []
    held_at_relay: Sequence[HeldRow] = ()
    parked: Sequence[ParkedMessage] = ()
    trace_ids: Sequence[str] = ()
    not_looked_at: list[str] = []


def report_of(
    facts: OrderFacts,
    money: PaymentFacts,
    reservation: ReservationSeen | None,
    journey: Journey,
    *,
    verdict: Verdict,
    readers: Sequence[Reader],
    found_by: str,
    now: datetime,
) -> Report:
    """Put together what was read and what was concluded."""
    return Report(
        verdict=verdict,
        found_by=found_by,
        order=facts.order,
        saga=facts.saga,
        timers=[
            Timer(waits_for=wait.text, late_at=wait.late_at, late=wait.is_late(now))
            for wait in waits_of(facts)
        ],
        timeline=facts.timeline,
        reservation=reservation,
        payment=money.payment,
        operations=money.operations,
        messages=[_message(journey, row, readers) for row in journey.rows],
        held_at_relay=journey.held,
        parked=journey.parked,
        trace_ids=journey.trace_ids,
        not_looked_at=[
            problem for problem in (journey.unread, journey.brokers.problem) if problem is not None
        ],
    )


def _message(journey: Journey, row: SentRow, readers: Sequence[Reader]) -> Message:
    return Message(
        seq=row.seq,
        id=row.id,
        type=row.type,
        written_at=row.written_at,
        topic=row.topic,
        partition=row.partition,
        offset=journey.brokers.offsets.get(row.id),
        published=row.is_published,
        copy=row.is_copy,
        readings=[
            _reading(journey, row, reader.name)
            for reader in readers
            if row.topic in reader.topics and row.type in (reader.types or (row.type,))
        ],
    )


def _reading(journey: Journey, row: SentRow, consumer: str) -> Reading:
    parked_at = next(
        (
            message.parked_at
            for message in journey.parked
            if message.consumer == consumer and message.event_id == row.id
        ),
        None,
    )
    if parked_at is not None:
        return Reading(consumer=consumer, state="parked", at=parked_at)
    taken_at = next(
        (
            mark.claimed_at
            for mark in journey.marks
            if mark.consumer == consumer and mark.event_id == row.id
        ),
        None,
    )
    return Reading(consumer=consumer, state="taken" if taken_at else "waiting", at=taken_at)
