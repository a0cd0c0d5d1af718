"""What the doctor makes of partitions, chores, the relay and the outbox."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from libs.foundation.doctor.installation_checks import (
    outbox_of,
    partitions_of,
    relay_of,
    upkeep_of,
)
from libs.foundation.messaging.sql.partition_status import PartitionRow
from libs.foundation.messaging.sql.upkeep_rounds import ChoreAge
from libs.foundation.messaging.status.outbox import OutboxStatus, drain_s
from libs.foundation.messaging.status.partitions import Partitions, table_of
from libs.foundation.messaging.status.relay import RelayStatus

NOW = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
RELAY = RelayStatus(
    holder="here",
    epoch=3,
    is_held=True,
    good_for_s=1.5,
    renewed_s=0.3,
    standbys=1,
    cursor=None,
    problem=None,
    remedy=None,
)
OUTBOX = OutboxStatus(
    rows=10,
    bytes=1_000,
    is_complete=True,
    estimated_rows=10,
    oldest_s=0.2,
    topics=[],
    appended_per_s=5.0,
    published_per_s=5.0,
    drain_s=None,
    held_back_keys=0,
)


def hourly(*hours: int, default: bool = False) -> list[PartitionRow]:
    rows = [
        PartitionRow(
            parent="toys",
            name=f"toys_{hour}",
            lower=(NOW.replace(minute=0) + timedelta(hours=hour)).isoformat(),
            upper=(NOW.replace(minute=0) + timedelta(hours=hour + 1)).isoformat(),
            bytes=8_192,
        )
        for hour in hours
    ]
    trap = PartitionRow(parent="toys", name="trap", lower=None, upper=None, bytes=0)
    return [*rows, trap] if default else rows


def judged(*rows: PartitionRow) -> list[str]:
    table = table_of("toys", rows, NOW)
    found = Partitions(tables=[table], put_aside=[], put_aside_bytes=0)
    return [finding.verdict.value for finding in partitions_of(found)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (hourly(*range(-24, 25)), ["ok"]),
        (hourly(*range(-24, 5)), ["note"]),
        (hourly(-1, 0), ["broken"]),
        (hourly(-2, -1), ["broken"]),
        (hourly(-1, 1, 2), ["broken"]),
        ([], ["broken"]),
        (hourly(*range(-24, 25), default=True), ["broken"]),
    ],
)
def test_a_table_that_refuses_rows_now_or_soon_is_found(
    rows: list[PartitionRow], expected: list[str]
) -> None:
    assert judged(*rows) == expected


def test_what_partitions_cover_is_measured_from_now_to_the_first_gap() -> None:
    table = table_of("toys", hourly(-2, 0, 1, 3), NOW)

    assert (table.ahead_s, table.behind_s) == (1.5 * 3_600, 2.5 * 3_600)
    assert [(gap.since.hour, gap.until.hour) for gap in table.gaps] == [(7, 8), (10, 11)]
    assert table.bytes == 4 * 8_192


def test_bounds_that_are_ids_are_read_as_the_times_they_begin_with() -> None:
    row = PartitionRow(
        parent="toys",
        name="toys_1",
        lower="019ab1f0-f400-0000-0000-000000000000",
        upper="019ab717-5000-0000-0000-000000000000",
        bytes=0,
    )

    table = table_of("toys", [row], NOW)

    assert table.since is not None
    assert table.until is not None
    assert table.until - table.since == timedelta(days=1)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (RELAY, "ok"),
        (replace(RELAY, standbys=0), "note"),
        (replace(RELAY, is_held=False), "broken"),
        (replace(RELAY, problem="restored", remedy="reanchor"), "broken"),
    ],
)
def test_a_relay_that_cannot_lead_is_found(status: RelayStatus, expected: str) -> None:
    assert relay_of(status).verdict == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (OUTBOX, "ok"),
        (replace(OUTBOX, held_back_keys=1), "note"),
        (replace(OUTBOX, oldest_s=61.0), "broken"),
        (None, "broken"),
    ],
)
def test_an_outbox_that_does_not_empty_is_found(status: OutboxStatus | None, expected: str) -> None:
    assert outbox_of(status).verdict == expected


@pytest.mark.parametrize(
    ("chores", "expected"),
    [
        ([], ["note"]),
        ([ChoreAge(chore="a", age_s=30.0, is_steady=True)], ["ok"]),
        ([ChoreAge(chore="a", age_s=3_000.0, is_steady=True)], ["note"]),
        ([ChoreAge(chore="a", age_s=None, is_steady=True)], ["note"]),
        ([ChoreAge(chore="a", age_s=30.0, is_steady=False)], ["note", "ok"]),
    ],
)
def test_chores_that_do_not_succeed_are_found(chores: list[ChoreAge], expected: list[str]) -> None:
    assert [finding.verdict for finding in upkeep_of(chores)] == expected


@pytest.mark.parametrize(
    ("rows", "done", "new", "expected"),
    [
        (0, None, 0.0, 0.0),
        (1_000, None, 0.0, None),
        (1_000, 10.0, 20.0, None),
        (1_000, 150.0, 50.0, 10.0),
    ],
)
def test_a_backlog_is_through_when_more_leaves_than_comes(
    rows: int, done: float | None, new: float, expected: float | None
) -> None:
    assert drain_s(rows, done, new) == expected
