"""What a consumer counts."""

from typing import Final

from libs.foundation.observability import metrics

MESSAGES: Final = metrics.counter_by(
    "consumer_messages_total",
    "Messages finished: handled, duplicate, skipped, queued behind a parked one, or parked.",
    "outcome",
    "type",
)
WAVE_MESSAGES: Final = metrics.histogram(
    "consumer_wave_messages",
    "Messages that one transaction handled.",
    buckets=metrics.SIZE_BUCKETS,
)
WAVE_SECONDS: Final = metrics.histogram(
    "consumer_wave_seconds", "Time from the start of a wave's transaction to its commit."
)
ENVIRONMENT_ERRORS: Final = metrics.counter_by(
    "consumer_environment_errors_total",
    "Failures that say nothing about the message, by SQLSTATE or class; each is tried again.",
    "code",
)
NEWLY_PARKED_KEYS: Final = metrics.counter(
    "consumer_newly_parked_keys_total", "Keys that were parked."
)
PARKED_KEYS: Final = metrics.gauge(
    "consumer_parked_keys", "Keys this consumer has parked at this moment."
)
PARKED_AGE_SECONDS: Final = metrics.gauge(
    "consumer_parked_age_seconds", "Age of the oldest parked key; 0 when none is parked."
)
PARKING_STOPPED: Final = metrics.gauge(
    "consumer_parking_stopped", "1 when too many keys were parked within a minute; people decide."
)
LAG_MESSAGES: Final = metrics.gauge_by(
    "consumer_lag_messages",
    "Messages of a partition that are not finished, as far as the broker told.",
    "topic",
    "partition",
)
LAG_SECONDS: Final = metrics.gauge_by(
    "consumer_lag_seconds",
    "Age of the oldest message of a partition that is read and not finished; 0 when there is none.",
    "topic",
    "partition",
)
OFFSET_COMMITS: Final = metrics.counter_by(
    "consumer_offset_commits_total", "Commits of offsets.", "outcome"
)
REBALANCES: Final = metrics.counter(
    "consumer_rebalances_total", "Times the group gave this member its partitions."
)
