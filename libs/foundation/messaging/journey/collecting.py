"""Reads what is known of one key, and finds the key of an event or of a trace."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Final
from uuid import UUID

from msgspec import Struct
from psycopg.errors import QueryCanceled

from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Connection
from libs.foundation.ids import time_of
from libs.foundation.messaging.journey.brokers import ask_brokers
from libs.foundation.messaging.journey.facts import Brokers, Journey, spans_around
from libs.foundation.messaging.replay.selection import Reader
from libs.foundation.messaging.sql import journeys, row_previews
from libs.foundation.messaging.sql.journeys import SentRow, Span
from libs.foundation.messaging.status.relay import relay_status
from libs.foundation.settings import KafkaSettings

_ROWS_MAX: Final = 500
_KEYS_MAX: Final = 20
# A transaction may last 30 s, and clocks differ.
_EVENT_MARGIN: Final = timedelta(minutes=1)
# So short that a statement passes it within its own time limit, however busy the minute was.
_SLICE: Final = timedelta(minutes=1)
_SEARCH_S: Final = 20.0


class TraceSearch(Struct, frozen=True, kw_only=True):
    """Keys of a trace; without any, rows since `looked_since` were read in vain."""

    keys: list[str]
    looked_since: datetime


async def collect(
    connection: Connection,
    kafka: KafkaSettings | None,
    key: str,
    moments: Iterable[datetime],
    readers: Sequence[Reader],
    topics: Sequence[str],
) -> Journey:
    """Read the journey of `key`, whose rows were written around `moments`; no Kafka, no offsets."""
    spans = spans_around(moments)
    unread: str | None = None
    rows: list[SentRow] = []
    try:
        rows = await journeys.sent(connection, key, spans, _ROWS_MAX)
    except QueryCanceled:
        unread = "reading the outbox took longer than a statement may"
    consumers = [reader.name for reader in readers]
    event_ids = list({row.id for row in rows})
    brokers = Brokers(problem="the brokers were not asked")
    if kafka is not None:
        brokers = await ask_brokers(kafka, rows, readers)
    return Journey(
        key=key,
        spans=spans,
        rows=rows,
        held=await journeys.held(connection, key, topics, _ROWS_MAX),
        marks=await journeys.marks(connection, consumers, event_ids),
        parked=await journeys.parked(connection, key, consumers, topics, _ROWS_MAX),
        relay=await relay_status(connection),
        brokers=brokers,
        unread=unread,
    )


async def key_of_event(connection: Connection, event_id: UUID) -> str | None:
    """Return the key of an event that the outbox keeps or a parking holds."""
    made_at = time_of(event_id)
    if made_at is None:
        return None
    span = Span(since=made_at - _EVENT_MARGIN, until=made_at + _EVENT_MARGIN)
    return await journeys.key_of_event(connection, event_id, span)


async def keys_of_trace(connection: Connection, trace_id: str) -> TraceSearch:
    """Look for a trace from now back, minute by minute, until it is found or the time is over."""
    began_s, until = monotonic(), utc_now() + _SLICE
    kept_since = (await row_previews.extent(connection)).kept_since
    keys: list[str] = []
    while not keys and kept_since is not None and until > kept_since:
        if monotonic() - began_s > _SEARCH_S:
            break
        span = Span(since=until - _SLICE, until=until)
        keys = await journeys.keys_of_trace(connection, trace_id, span, _KEYS_MAX)
        until = span.since
    return TraceSearch(keys=keys, looked_since=until)
