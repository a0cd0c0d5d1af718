"""Compares records with rows, as they come; no database and no broker is needed for it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.ids import time_of
from libs.foundation.messaging.envelope import BadEnvelopeError, Envelope, read_envelope
from libs.foundation.messaging.sql.journeys import Span
from libs.foundation.messaging.sql.reconciliations import KeptRow

# So many ids are remembered as told; a record that comes again after them counts again.
_TOLD_MAX: Final = 200_000


class Side(StrEnum):
    """Which of the two holds a message that the other one lacks."""

    ONLY_IN_KAFKA = "only in Kafka"
    ONLY_IN_OUTBOX = "only in the outbox"


class Record(Struct, frozen=True, kw_only=True):
    """A record of a topic; `id` is None when its headers have none."""

    topic: str
    partition: int
    offset: int
    at: datetime
    id: UUID | None
    headers: Sequence[tuple[str, bytes]]


class Difference(Struct, frozen=True, kw_only=True):
    """A message that only one side holds; `time` is the record's or the row's."""

    side: Side
    topic: str
    partition: int
    offset: int | None
    id: UUID | None
    type: str | None
    subject: str | None
    time: datetime


class TopicCounts(Struct, kw_only=True):
    """What was compared of one topic; `not_judged` are records of messages older than the rows."""

    topic: str
    records: int = 0
    rows: int = 0
    only_in_kafka: int = 0
    only_in_outbox: int = 0
    not_judged: int = 0


class Comparison:
    """Holds what waits for its other half: rows of one minute or two, and what has none."""

    def __init__(
        self, span: Span, judged_since: datetime, topics: Sequence[str], listed_max: int
    ) -> None:
        self._span = span
        self._judged_since = judged_since
        self._listed_max = listed_max
        self._recent: list[tuple[datetime, set[UUID]]] = []
        self._waiting: dict[UUID, KeptRow] = {}
        self._told: set[UUID] = set()
        self._listed: list[Difference] = []
        self.counts = {name: TopicCounts(topic=name) for name in topics}

    @property
    def waiting(self) -> int:
        """How many rows have no record yet."""
        return len(self._waiting)

    def take_rows(self, rows: Sequence[KeptRow]) -> None:
        """Take rows before the records of their time."""
        if not rows:
            return
        self._recent.append((rows[-1].written_at, {row.id for row in rows}))
        for row in rows:
            if row.is_expected and self._is_within(row.written_at):
                self.counts[row.topic].rows += 1
                self._waiting[row.id] = row

    def take_records(self, records: Sequence[Record]) -> list[Record]:
        """Take records; return those that no recent row explains: `judge` needs the outbox."""
        strange: list[Record] = []
        for record in records:
            if record.id is not None:
                self._waiting.pop(record.id, None)
            if not self._is_within(record.at):
                continue
            counts = self.counts[record.topic]
            counts.records += 1
            if record.id is not None and any(record.id in ids for _, ids in self._recent):
                continue
            if made_at(record) < self._judged_since:
                counts.not_judged += 1
            elif record.id not in self._told:
                strange.append(record)
        return strange

    def judge(self, strange: Sequence[Record], known: Collection[UUID]) -> None:
        """Count the strange records whose ids are not `known` to the outbox."""
        for record in strange:
            if record.id is not None:
                if record.id in known or record.id in self._told:
                    continue
                if len(self._told) < _TOLD_MAX:
                    self._told.add(record.id)
            counts = self.counts[record.topic]
            counts.only_in_kafka += 1
            if len(self._listed) < self._listed_max:
                self._listed.append(_of_record(record))

    def forget_before(self, moment: datetime) -> None:
        """Let rows go whose records have come by now; those without one are kept."""
        self._recent = [each for each in self._recent if each[0] >= moment]

    def finish(self, until: datetime) -> list[Difference]:
        """Count rows before `until` that still have no record; return what was found first."""
        found = [row for row in self._waiting.values() if row.written_at < until]
        for row in found:
            self.counts[row.topic].only_in_outbox += 1
        return [*self._listed, *(_of_row(row) for row in found[: self._listed_max])]

    def _is_within(self, moment: datetime) -> bool:
        return self._span.since <= moment < self._span.until


def made_at(record: Record) -> datetime:
    """Return when a message was made: by its id, else by its record."""
    made = None if record.id is None else time_of(record.id)
    return record.at if made is None else made


def _of_record(record: Record) -> Difference:
    envelope = _envelope(record)
    return Difference(
        side=Side.ONLY_IN_KAFKA,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        id=record.id,
        type=None if envelope is None else envelope.type,
        subject=None if envelope is None else envelope.subject,
        time=record.at,
    )


def _envelope(record: Record) -> Envelope | None:
    try:
        return read_envelope(record.headers)
    except BadEnvelopeError:
        return None


def _of_row(row: KeptRow) -> Difference:
    return Difference(
        side=Side.ONLY_IN_OUTBOX,
        topic=row.topic,
        partition=row.partition,
        offset=None,
        id=row.id,
        type=row.type,
        subject=row.subject,
        time=row.written_at,
    )
