"""The dry run of a replay: what would be copied, and what each consumer would make of it."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.replay.selection import Reader, Selection
from libs.foundation.messaging.sql import inbox, outbox_cursor, row_previews
from libs.foundation.messaging.sql.row_previews import MarkCount, Range, Readers, VerdictCount

_PAGE_ROWS_MAX: Final = 5_000
_SAMPLES_MAX: Final = 5
_LARGEST_ID: Final = UUID(int=(1 << 128) - 1)


class ReplayRefused(Exception):
    """What is asked for cannot be had; the text says why and what helps."""


class TopicRows(Struct, kw_only=True):
    """Rows of a topic: to be copied, not published yet, or held back by the relay."""

    topic: str
    chosen: int = 0
    unpublished: int = 0
    held_back: int = 0


class ConsumerVerdict(Struct, kw_only=True):
    """What a consumer would do with copies of a topic.

    processed: it has no mark of them, so they take effect. queued: the same, behind a parked
    message of their key. dropped: it has marked them. skipped: it does not handle their type.
    refused: older than its inbox remembers, or no id it trusts; they would park.
    """

    consumer: str
    topic: str
    processed: int = 0
    queued: int = 0
    dropped: int = 0
    skipped: int = 0
    refused: int = 0
    samples: dict[str, list[UUID]]


class Preview(Struct, frozen=True, kw_only=True):
    """A dry run; nothing was written."""

    since: datetime
    until: datetime
    topics: list[TopicRows]
    consumers: list[ConsumerVerdict]

    @property
    def chosen(self) -> int:
        """How many copies a replay would append."""
        return sum(topic.chosen for topic in self.topics)


async def preview(
    connection: Connection, selection: Selection, readers: Sequence[Reader]
) -> Preview:
    """Look at every selected row, page by page; raises ReplayRefused as `range_of`."""
    chosen = await range_of(connection, selection)
    async with transaction(connection) as tx:
        bounds = await inbox.bounds(tx)
    first_id = _LARGEST_ID if bounds is None else bounds.first
    topics: dict[str, TopicRows] = {}
    consumers: dict[tuple[str, str], ConsumerVerdict] = {}
    pairs = _pairs(readers)
    async for after_seq, last_seq in _pages(connection, chosen):
        for found in await row_previews.counts(connection, chosen, after_seq, last_seq):
            rows = topics.setdefault(found.topic, TopicRows(topic=found.topic))
            rows.chosen += found.chosen
            rows.unpublished += found.unpublished
            rows.held_back += found.held_back
        for verdict in await row_previews.verdicts(
            connection,
            chosen,
            after_seq,
            last_seq,
            readers=pairs,
            first_id=first_id,
            samples_max=_SAMPLES_MAX,
        ):
            _add(consumers, verdict)
    return Preview(
        since=chosen.since,
        until=chosen.until,
        topics=[topics[name] for name in sorted(topics)],
        consumers=[consumers[name] for name in sorted(consumers)],
    )


async def marks_of(connection: Connection, selection: Selection, consumer: str) -> MarkCount:
    """Count the marks that `consumer` would forget; raises ReplayRefused as `range_of`."""
    chosen = await range_of(connection, selection)
    forgotten = kept = 0
    async for after_seq, last_seq in _pages(connection, chosen):
        found = await row_previews.marks(connection, chosen, after_seq, last_seq, consumer)
        forgotten += found.forgotten
        kept += found.kept
    return MarkCount(forgotten=forgotten, kept=kept)


async def range_of(connection: Connection, selection: Selection) -> Range:
    """Return what is selected; raises ReplayRefused when the outbox does not keep all of it."""
    extent = await row_previews.extent(connection)
    cursor = await outbox_cursor.latest(connection)
    if extent.kept_since is None or cursor is None:
        raise ReplayRefused("the outbox has no partition or no cursor. Remedy: orderly doctor")
    since = selection.since or extent.kept_since
    until = min(selection.until or extent.now, extent.now)
    if since >= until:
        raise ReplayRefused(f"{since.isoformat()} is not before {until.isoformat()}")
    if since < extent.kept_since:
        raise ReplayRefused(
            f"rows since {since.isoformat()} were asked for, and the outbox keeps rows since"
            f" {extent.kept_since.isoformat()}; older ones are in the topics as long as Kafka"
            " keeps them"
        )
    stretch = await row_previews.stretch(connection, since, until)
    return Range(
        since=since,
        until=until,
        topics=selection.topics,
        keys=selection.keys,
        types=selection.types,
        prev=cursor.prev,
        cur=cursor.cur,
        last_seq=cursor.last_seq,
        after_seq=stretch.after_seq,
        upto_seq=stretch.upto_seq,
    )


async def _pages(connection: Connection, chosen: Range) -> AsyncGenerator[tuple[int, int]]:
    """Yield where each page begins and ends."""
    after_seq = chosen.after_seq
    while True:
        page = await row_previews.page_end(connection, chosen, after_seq, _PAGE_ROWS_MAX)
        if page.last_seq is None:
            return
        yield after_seq, page.last_seq
        after_seq = page.last_seq


def _pairs(readers: Sequence[Reader]) -> Readers:
    reading = [(reader.name, topic) for reader in readers for topic in reader.topics]
    handling = [(reader.name, type_) for reader in readers for type_ in reader.types or ()]
    return Readers(
        reading=[name for name, _ in reading],
        read=[topic for _, topic in reading],
        choosy=[reader.name for reader in readers if reader.types is not None],
        handling=[name for name, _ in handling],
        handled=[type_ for _, type_ in handling],
    )


def _add(consumers: dict[tuple[str, str], ConsumerVerdict], found: VerdictCount) -> None:
    name = (found.consumer, found.topic)
    if name not in consumers:
        consumers[name] = ConsumerVerdict(consumer=found.consumer, topic=found.topic, samples={})
    verdict = consumers[name]
    setattr(verdict, found.verdict, getattr(verdict, found.verdict) + found.messages)
    samples = verdict.samples.setdefault(found.verdict, [])
    samples += found.samples[: _SAMPLES_MAX - len(samples)]
