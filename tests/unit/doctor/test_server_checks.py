"""What the doctor makes of a server's settings, roles, tables and open transactions."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from libs.foundation.doctor.findings import Finding
from libs.foundation.doctor.server_checks import (
    clock,
    horizon,
    prepared,
    roles_of,
    settings_of,
    vacuum,
)
from libs.foundation.doctor.sql.server import (
    Horizon,
    Prepared,
    Role,
    ServerSettings,
    TableHealth,
)

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
WELL = ServerSettings(
    version=180_000,
    in_recovery=False,
    fsync="on",
    full_page_writes="on",
    synchronous_commit="on",
    wal_level="replica",
    autovacuum="on",
    track_counts="on",
    default_transaction_isolation="read committed",
    max_connections=100,
    connections=20,
    database_now=NOW,
)
TIMEOUTS = [
    "transaction_timeout=30s",
    "idle_in_transaction_session_timeout=10s",
    "lock_timeout=1s",
]


def verdicts(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.check, finding.verdict.value) for finding in findings]


def test_a_server_as_it_should_be_has_nothing_to_mend() -> None:
    found = [*settings_of(WELL), *vacuum(WELL, [])]

    assert {finding.verdict for finding in found} == {"ok"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"fsync": "off"}, ("durability", "broken")),
        ({"full_page_writes": "off"}, ("durability", "broken")),
        ({"synchronous_commit": "off"}, ("durability", "broken")),
        ({"wal_level": "minimal"}, ("durability", "note")),
        ({"in_recovery": True}, ("primary", "broken")),
        ({"default_transaction_isolation": "serializable"}, ("isolation", "broken")),
        ({"connections": 90}, ("connections", "note")),
    ],
)
def test_each_setting_that_costs_something_is_found(
    change: dict[str, object], expected: tuple[str, str]
) -> None:
    found = [finding for finding in settings_of(replace(WELL, **change)) if finding.remedy]

    assert verdicts(found) == [expected]


@pytest.mark.parametrize(
    ("apart_s", "expected"), [(0.2, "ok"), (-0.9, "ok"), (2, "note"), (-45, "broken")]
)
def test_clocks_that_differ_are_found(apart_s: float, expected: str) -> None:
    assert clock(NOW + timedelta(seconds=apart_s), NOW).verdict == expected


def test_roles_are_missed_too_strong_or_without_a_timeout() -> None:
    strong = Role(name="b", is_superuser=True, settings=TIMEOUTS)
    patient = Role(name="c", is_superuser=False, settings=TIMEOUTS[:2])

    found = list(roles_of(["a", "b", "c"], [strong, patient]))

    assert [finding.found for finding in found] == [
        "missing or without login: a",
        "b is a superuser",
        "c has no lock_timeout: a forgotten session holds everything up",
    ]


def test_roles_as_the_migrations_make_them_are_well() -> None:
    role = Role(name="a", is_superuser=False, settings=TIMEOUTS)

    assert verdicts(list(roles_of(["a"], [role]))) == [("roles", "ok")]


def test_tables_without_vacuum_are_broken_and_late_ones_noted() -> None:
    left_out = TableHealth(name="t", is_left_out=True, live_rows=1, dead_rows=0)
    late = TableHealth(name="u", is_left_out=False, live_rows=10, dead_rows=90_000)

    found = list(vacuum(replace(WELL, autovacuum="off"), [left_out, late]))

    assert [finding.verdict for finding in found] == ["broken", "broken", "note"]


def holder(age_s: float | None, transactions: int = 10, kind: str = "session") -> Horizon:
    return Horizon(
        kind=kind, pid=7, name="psql", age_transactions=transactions, since=None, age_s=age_s
    )


@pytest.mark.parametrize(
    ("holders", "expected"),
    [
        ([], "ok"),
        ([holder(1)], "ok"),
        ([holder(None, 5_000_000)], "note"),
        ([holder(120)], "note"),
        ([holder(3_600)], "broken"),
    ],
)
def test_an_old_horizon_is_found_by_its_age(holders: list[Horizon], expected: str) -> None:
    assert horizon(holders).verdict == expected


def test_the_remedy_names_whoever_holds_the_horizon() -> None:
    assert horizon([holder(3_600)]).remedy == "SELECT pg_terminate_backend(7)"
    assert "pg_drop_replication_slot('psql')" in (
        horizon([holder(3_600, kind="replication slot")]).remedy or ""
    )


@pytest.mark.parametrize(("age_s", "expected"), [(5, "note"), (600, "broken")])
def test_a_prepared_transaction_is_found(age_s: float, expected: str) -> None:
    assert prepared([Prepared(gid="x", age_s=age_s)]).verdict == expected
    assert prepared([]).verdict == "ok"
