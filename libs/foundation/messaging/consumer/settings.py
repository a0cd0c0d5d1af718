"""How a consumer reads, retries and gives up; every wait it makes ends at one of these."""

from typing import Annotated

from msgspec import Meta, Struct

Milliseconds = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=1)]


class ConsumerSettings(Struct, frozen=True, kw_only=True):
    """Limits of one consumer."""

    batch_records_max: Count = 500
    """Most records of one partition that are taken at once."""
    lane_batches_max: Count = 2
    """Batches a partition may hold, the one in hand included; beyond that it is not read."""
    lane_bytes_max: Count = 4_194_304
    """Estimated memory of those batches at which the partition is not read, however few."""
    fetch_bytes_max: Count = 8_388_608
    """Most bytes of one answer of a broker."""
    fetch_partition_bytes_max: Count = 524_288
    """Most bytes of one partition in such an answer; a larger message comes alone."""
    wave_connections_max: Count = 3
    """Transactions of a consumer at the same time, a connection each; partitions share them."""
    wave_timeout_ms: Milliseconds = 8_000
    """Longest time for one transaction, seen from here: a silent server ends no statement."""
    offset_commit_interval_ms: Milliseconds = 200
    """Time between two commits of offsets."""
    offset_commit_timeout_ms: Milliseconds = 2_000
    """Longest wait for the broker to take them."""
    session_timeout_ms: Milliseconds = 6_000
    """Silence after which the group takes a member for dead."""
    heartbeat_interval_ms: Milliseconds = 1_000
    """Time between signs of life; a rebalance is noticed by the next one."""
    rebalance_timeout_ms: Milliseconds = 10_000
    """Longest time the group waits for its members to come back in a rebalance."""
    revoke_grace_ms: Milliseconds = 3_000
    """Time for the batches in hand to end when their partitions are taken away."""
    fetch_wait_max_ms: Milliseconds = 100
    """Longest time the broker holds a fetch; a partition that runs dry meanwhile waits as long."""
    poison_attempts_max: Count = 5
    """Failures of a message alone, while others pass, after which it is parked."""
    parked_keys_per_minute_max: Count = 20
    """Newly parked keys a minute beyond which this process stops parking and waits for people."""
    retry_first_ms: Milliseconds = 100
    """Bound of the first random wait after a failure; it doubles with each."""
    retry_cap_ms: Milliseconds = 5_000
    """Largest bound of that wait."""
    stall_limit_ms: Milliseconds = 10_000
    """Time without progress on a partition that has work, after which the process is not ready."""
    request_poll_interval_ms: Milliseconds = 1_000
    """Time between two looks for operators' requests."""
    bulk_messages_per_s: Count = 200
    """Parked messages a second that a request for many keys runs in one process at most."""

    def __post_init__(self) -> None:
        if self.heartbeat_interval_ms * 3 > self.session_timeout_ms:
            raise ValueError("session_timeout_ms must allow three of heartbeat_interval_ms")
        if self.revoke_grace_ms + self.offset_commit_timeout_ms >= self.rebalance_timeout_ms:
            raise ValueError(
                "revoke_grace_ms + offset_commit_timeout_ms < rebalance_timeout_ms must hold"
            )
