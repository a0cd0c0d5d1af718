"""The report of one run: what was measured, beside what, with which settings, and what was not."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.machine import Machine
from loadtests.benchmarks.measurement import Sample
from loadtests.benchmarks.ratios import RowResult, result_of
from loadtests.benchmarks.rounds import Outcome
from loadtests.benchmarks.rows import Row
from loadtests.benchmarks.scale import Scale


class RowReport(Struct, frozen=True, kw_only=True):
    """A row of the table: its words, its goal, and its result."""

    key: str
    measured: str
    beside: str
    better: str
    goal: float
    over: str
    under: str
    result: RowResult


class ContenderReport(Struct, frozen=True, kw_only=True):
    """What a contender is and ran with; `absent` says why it never ran."""

    name: str
    what: str
    unit: str
    settings: dict[str, str]
    absent: str | None
    samples: list[Sample]


class Servers(Struct, frozen=True, kw_only=True):
    """What everybody shared."""

    postgres: str
    postgres_settings: dict[str, str]
    kafka: str
    replication_factor: int
    generator: str


class Report(Struct, frozen=True, kw_only=True):
    """All of it; `ratios` are the medians by row, null where nothing could be measured."""

    started_at: datetime
    seconds: float
    scale: Scale
    machine: Machine
    servers: Servers
    ratios: dict[str, float | None]
    rows: list[RowReport]
    contenders: list[ContenderReport]


def row_reports(rows: Sequence[Row], outcome: Outcome, rounds: int) -> list[RowReport]:
    return [
        RowReport(
            key=row.key,
            measured=row.measured,
            beside=row.beside,
            better=row.better.value,
            goal=row.goal,
            over=f"{row.over.contender}.{row.over.name}",
            under=f"{row.under.contender}.{row.under.name}",
            result=result_of(row, outcome.samples, outcome.absent, rounds),
        )
        for row in rows
    ]


def contender_reports(
    contenders: Sequence[Contender], samples: Sequence[Sample], absent: Mapping[str, str]
) -> list[ContenderReport]:
    return [
        ContenderReport(
            name=each.name,
            what=each.what,
            unit=each.unit,
            settings=each.settings,
            absent=absent.get(each.name),
            samples=[sample for sample in samples if sample.contender == each.name],
        )
        for each in contenders
    ]


def ratios_of(rows: Sequence[RowReport]) -> dict[str, float | None]:
    return {row.key: row.result.median for row in rows}


def write(report: Report, path: Path) -> None:
    """Write the report as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
