"""Settings of the relay that contradict each other are refused."""

from collections.abc import Mapping

import pytest

from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.settings import SettingsError, load_settings

REQUIRED: Mapping[str, str] = {
    "RELAY_PROCESS_SIDE_PORT": "0",
    "RELAY_DATABASE_URL": "postgresql://nowhere/orderly",
    "RELAY_KAFKA_BOOTSTRAP_SERVERS": "nowhere:9092",
}


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("RELAY_LEASE_MS", "1000", "three renewals"),
        ("RELAY_POLL_INTERVAL_MIN_MS", "50", "poll_interval_min_ms"),
        ("RELAY_PROGRESS_DEADLINE_MS", "300000", "progress_deadline_ms"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    variable: str, value: str, problem: str
) -> None:
    with pytest.raises(SettingsError, match=problem):
        load_settings(RelaySettings, {**REQUIRED, variable: value}, prefix="RELAY_")


def test_lease_and_cursor_statements_are_shorter_than_the_lease_and_reads_are_not() -> None:
    settings = load_settings(RelaySettings, REQUIRED, prefix="RELAY_")

    assert settings.writing.transaction_timeout_ms < settings.lease_ms
    assert settings.reading.transaction_timeout_ms == settings.read_timeout_ms
