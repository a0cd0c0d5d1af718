"""What is known of the messages of one key, as it was read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.messaging.sql.journeys import HeldRow, Mark, ParkedMessage, SentRow, Span
from libs.foundation.messaging.status.relay import RelayStatus

# Rows are written in the transaction of a known moment; an answer to them follows within seconds.
_BEFORE: Final = timedelta(seconds=5)
_AFTER: Final = timedelta(seconds=15)
_TRACE_ID: Final = slice(3, 35)


class GroupPlace(Struct, frozen=True, kw_only=True):
    """Where a consumer stands in one partition: `next` is the first message it has not finished."""

    consumer: str
    members: int
    topic: str
    partition: int
    next: int
    end: int


class Brokers(Struct, frozen=True, kw_only=True):
    """What the brokers told; `problem` is why they told nothing.

    An offset that was not found in time is not there: the outbox does not record any.
    """

    offsets: Mapping[UUID, int] = {}
    places: Sequence[GroupPlace] = ()
    problem: str | None = None

    def place(self, consumer: str, topic: str, partition: int) -> GroupPlace | None:
        wanted = (consumer, topic, partition)
        return next(
            (one for one in self.places if (one.consumer, one.topic, one.partition) == wanted),
            None,
        )


class Journey(Struct, frozen=True, kw_only=True):
    """The messages of one key. Rows are those written within `spans`; the outbox keeps a day.

    `unread` is why the rows could not be read.
    """

    key: str
    spans: Sequence[Span]
    rows: Sequence[SentRow]
    held: Sequence[HeldRow]
    marks: Sequence[Mark]
    parked: Sequence[ParkedMessage]
    relay: RelayStatus
    brokers: Brokers
    unread: str | None = None

    @property
    def trace_ids(self) -> list[str]:
        """The traces that the rows belong to, each once, oldest first."""
        texts = [row.traceparent[_TRACE_ID] for row in self.rows if row.traceparent is not None]
        return list(dict.fromkeys(texts))

    def taken_by(self, event_id: UUID) -> list[str]:
        return [mark.consumer for mark in self.marks if mark.event_id == event_id]


def spans_around(moments: Iterable[datetime]) -> list[Span]:
    """Return the stretches in which something was written, given when something happened."""
    spans: list[Span] = []
    for moment in sorted(moments):
        since, until = moment - _BEFORE, moment + _AFTER
        if spans and since <= spans[-1].until:
            spans[-1] = Span(since=spans[-1].since, until=until)
        else:
            spans.append(Span(since=since, until=until))
    return spans
