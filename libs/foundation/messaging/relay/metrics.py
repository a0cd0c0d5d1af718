"""What the relay counts and measures."""

from collections.abc import Sequence
from time import time
from typing import Final

from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from libs.foundation.observability.metrics import (
    SIZE_BUCKETS,
    counter,
    counter_by,
    gauge,
    gauge_by,
    histogram,
)

_SAMPLES_PER_WINDOW_MAX: Final = 32

ROWS: Final = counter("relay_published_rows_total", "Outbox rows that Kafka acknowledged.")
PARKED_ROWS: Final = counter("relay_parked_rows_total", "Outbox rows held back from Kafka.")
WINDOW_ROWS: Final = histogram("relay_window_rows", "Rows of one window.", buckets=SIZE_BUCKETS)
READ: Final = histogram("relay_read_seconds", "Time of one poll, or of one window's read.")
PUBLISH: Final = histogram("relay_publish_seconds", "Time from a window's read to its last ack.")
AGE_AT_ACK: Final = histogram(
    "relay_written_to_acked_seconds",
    "Age of rows when Kafka acknowledged them, from the start of the writer's transaction.",
)
LEADING: Final = gauge("relay_leading", "1 while this process holds the lease.")
EPOCH: Final = gauge("relay_lease_epoch", "Epoch of the lease this process held last.")
TAKEOVERS: Final = counter("relay_takeovers_total", "Times this process took the lease.")
SESSIONS_LOST: Final = counter_by(
    "relay_sessions_lost_total", "Sessions that ended by an error, by its kind.", "error"
)
BLOCKED: Final = gauge("relay_blocked", "1 while only a person can help; the log says how.")
TIMELINE: Final = gauge(
    "relay_database_timeline", "Timeline of the database; a rise is a failover."
)
PARKED_KEYS: Final = gauge("outbox_parked_keys", "Keys held back; set by the active relay.")
BACKLOG_ROWS: Final = gauge("outbox_backlog_rows", "Unpublished rows, counted up to a limit.")
OLDEST: Final = gauge("outbox_oldest_unpublished_seconds", "Age of the oldest unpublished row.")
ROW_REQUEST_ROWS: Final = counter_by(
    "relay_row_request_rows_total",
    "Copies appended by replays, and marks forgotten, by what was asked.",
    "verb",
)
HOUSEKEEPING_FAILED: Final = counter(
    "relay_housekeeping_failures_total", "Chores of the database that failed; each is tried again."
)
CHORE_AGE: Final = gauge_by(
    "upkeep_last_success_age_seconds",
    "Time since a chore of the database last succeeded, whichever relay did it.",
    "chore",
)
PARTITIONS_AHEAD: Final = gauge_by(
    "partitions_ahead_seconds",
    "For how long from now on a partitioned table takes rows; 0 when it refuses them.",
    "table",
)


def count_window(rows: Sequence[OutboxRow], held_back: int) -> None:
    """Count a window that Kafka has acknowledged; of its ages only some are observed."""
    ROWS.inc(len(rows) - held_back)
    PARKED_ROWS.inc(held_back)
    WINDOW_ROWS.observe(len(rows))
    now_s = time()
    for row in rows[:: max(1, len(rows) // _SAMPLES_PER_WINDOW_MAX)]:
        AGE_AT_ACK.observe(max(0.0, now_s - row.written_at_s))
