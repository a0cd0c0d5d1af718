"""What the relay can be told, with the defaults it was measured with."""

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.settings import KafkaSettings, ProcessSettings

Positive = Annotated[int, Meta(ge=1)]


class RelaySettings(Struct, frozen=True, kw_only=True):
    """One relay process; all that share a database must agree on the lease and on retention."""

    process: ProcessSettings
    database: DatabaseSettings
    kafka: KafkaSettings
    window_rows_max: Positive = 4_000
    """Most rows published for one cursor row: what a restart repeats at most."""
    window_bytes_max: Positive = 16_777_216
    """Payload bytes at which a window ends early; two windows are in memory at once."""
    backlog_rows_max: Positive = 1_000_000
    """Rows of a backlog that are sorted at once."""
    read_timeout_ms: Positive = 60_000
    """Longest time for one read of the outbox; sorting a backlog is the longest."""
    poll_interval_min_ms: Positive = 1
    """Pause after an empty poll while rows flow."""
    poll_interval_max_ms: Positive = 20
    """Pause after an empty poll once idle."""
    lease_ms: Positive = 2_000
    """Time after which a standby takes over from a relay that no longer renews."""
    lease_renewal_ms: Positive = 500
    """Pause between renewals."""
    standby_poll_ms: Positive = 250
    """Mean pause between a standby's tries to take the lease."""
    request_poll_ms: Positive = 1_000
    """Pause between looks for operators' requests."""
    replay_rows_max: Positive = 500
    """Most rows that one step of a replay appends; Kafka has them before the next step."""
    bulk_rows_per_s: Positive = 1_000
    """Parked rows a second that a request for many keys publishes at most."""
    blocked_retry_ms: Positive = 5_000
    """Pause before trying again when only a person can help."""
    progress_deadline_ms: Positive = 10_000
    """Time without progress after which the relay is not ready."""
    producer_stuck_ms: Positive = 300_000
    """Time without an acknowledgement after which the process gives up the lease and exits."""
    observation_ms: Positive = 5_000
    """Pause between measurements of the backlog."""
    housekeeping_ms: Positive = 60_000
    """Pause between rounds of making and dropping partitions."""
    partitions_ahead_hours: Positive = 24
    """Hours of outbox, cursor and inbox partitions made ahead."""
    outbox_kept_hours: Positive = 24
    """Age at which published outbox and cursor partitions are dropped."""
    inbox_kept_hours: Positive = 192
    """Age at which inbox partitions are dropped; longer than the topics' retention."""
    idempotency_kept_hours: Positive = 48
    """Age at which idempotency keys expire."""
    finished_kept_hours: Annotated[int, Meta(ge=336)] = 2_160
    """Age at which finished requests and resolved parked messages are deleted."""

    def __post_init__(self) -> None:
        if self.lease_renewal_ms * 3 > self.lease_ms:
            raise ValueError("lease_ms must allow three renewals of lease_renewal_ms")
        if self.poll_interval_min_ms > self.poll_interval_max_ms:
            raise ValueError("poll_interval_min_ms <= poll_interval_max_ms must hold")
        if self.progress_deadline_ms >= self.producer_stuck_ms:
            raise ValueError("progress_deadline_ms < producer_stuck_ms must hold")

    @property
    def reading(self) -> DatabaseSettings:
        """Limits of the connection that reads the outbox."""
        return replace(
            self.database,
            statement_timeout_ms=self.read_timeout_ms,
            transaction_timeout_ms=self.read_timeout_ms,
        )

    @property
    def writing(self) -> DatabaseSettings:
        """Limits of the lease and cursor connections: a frozen relay must not hold their locks."""
        return replace(
            self.database,
            lock_timeout_ms=500,
            statement_timeout_ms=900,
            transaction_timeout_ms=1_000,
        )
