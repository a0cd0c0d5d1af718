"""The report of one run: figures, the thresholds they were held against, and the run before."""

import tomllib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from loadtests.benchmarks import refusals
from loadtests.benchmarks.machine import Machine
from loadtests.scenarios.run import KNEE_P99_MS, Outcome
from loadtests.scenarios.sampler import Sample
from loadtests.scenarios.scenario import Scenario

THRESHOLDS: Final = Path(__file__).with_name("thresholds.toml")
_FINAL: Final = "placed to confirmed"
_TENTHS: Final = 10
# Their memory is what they are configured to take: a heap that fills is no growth.
_SERVERS: Final = frozenset({"postgres", "kafka"})


class Thresholds(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most that each figure may be."""

    accept_p50_ms: float
    accept_p99_ms: float
    final_p99_ms: float
    lost_share: float
    settled_s: float
    memory_growth_mib: float
    memory_peak_mib: float
    broken_invariants: float


class Verdict(Struct, frozen=True, kw_only=True):
    """One figure beside its threshold; a figure that could not be measured is missing."""

    name: str
    figure: float | None
    at_most: float
    reason: str = ""

    @property
    def holds(self) -> bool:
        return self.figure is not None and self.figure <= self.at_most


class Knee(Struct, frozen=True, kw_only=True):
    """The highest rate that held, and what was busy and queued when the next one did not."""

    rate: float
    p99_max_ms: float
    next_rate: float | None
    busiest: dict[str, float]
    longest: dict[str, float]


class Report(Struct, frozen=True, kw_only=True):
    """One run of one scenario."""

    scenario: Scenario
    started_at: datetime
    seconds: float
    machine: Machine
    outcome: Outcome
    knee: Knee | None
    verdicts: list[Verdict]

    @property
    def passed(self) -> bool:
        return all(verdict.holds for verdict in self.verdicts)


def thresholds_of(name: str) -> Thresholds:
    """Read what the scenario must keep."""
    tables = tomllib.loads(THRESHOLDS.read_text(encoding="utf-8"))
    return msgspec.convert({**tables["default"], **tables.get(name, {})}, type=Thresholds)


def judged(outcome: Outcome, thresholds: Thresholds) -> list[Verdict]:
    """Hold every figure against its threshold; without the offered load there is no figure."""
    sent = sum(each.sent for each in outcome.sent)
    lost = sum(each.lost for each in outcome.sent)
    refused = _refusal(outcome)
    final = next((each for each in outcome.stages if each.stage == _FINAL), None)
    figures: dict[str, float | None] = {
        "accept_p50_ms": max(each.accepted_p50_ms for each in outcome.sent),
        "accept_p99_ms": max(each.accepted_p99_ms for each in outcome.sent),
        "final_p99_ms": None if final is None or not final.messages else final.p99_ms,
        "lost_share": round(lost / sent, 4) if sent else None,
    }
    if refused is not None:
        figures = dict.fromkeys(figures)
    figures["settled_s"] = outcome.settled_s
    figures["memory_growth_mib"] = round(memory_growth_mib(outcome.samples), 1)
    figures["memory_peak_mib"] = round(memory_peak_mib(outcome.samples), 1)
    figures["broken_invariants"] = len(outcome.broken)
    return [
        Verdict(
            name=name,
            figure=figure,
            at_most=getattr(thresholds, name),
            reason=(refused or "not measured") if figure is None else "",
        )
        for name, figure in figures.items()
    ]


def _refusal(outcome: Outcome) -> str | None:
    """Refuse what was measured under a load that was not offered; a climb ends by missing it."""
    if outcome.steps:
        return None
    sent = outcome.sent[0]
    return refusals.first(
        refusals.missed_load(sent.planned, sent.sent), refusals.busy_generator(sent.cores)
    )


def memory_growth_mib(samples: Sequence[Sample]) -> float:
    """Return how much that of Orderly's processes grew most, by means of the outer tenths."""
    part = max(1, len(samples) // _TENTHS)
    first, last = samples[:part], samples[-part:]
    names = set(samples[-1].memory_mib) - _SERVERS if samples else set[str]()
    growths = (_mean_memory(last, name) - _mean_memory(first, name) for name in names)
    return max(growths, default=0.0)


def memory_peak_mib(samples: Sequence[Sample]) -> float:
    """Return the most that one of Orderly's processes has taken at any moment."""
    return max(
        (
            mib
            for sample in samples
            for name, mib in sample.memory_mib.items()
            if name not in _SERVERS
        ),
        default=0.0,
    )


def _mean_memory(samples: Sequence[Sample], name: str) -> float:
    return sum(each.memory_mib.get(name, 0.0) for each in samples) / len(samples)


def knee_of(outcome: Outcome) -> Knee | None:
    """Return the knee of a climb; 0/s when not even the first step held."""
    if not outcome.steps:
        return None
    held = [step for step in outcome.steps if step.holds]
    last = outcome.steps[-1]
    return Knee(
        rate=held[-1].rate if held else 0,
        p99_max_ms=KNEE_P99_MS,
        next_rate=None if last.holds else last.rate,
        busiest=last.busiest,
        longest=last.longest,
    )


def write(report: Report, path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))


def read(path: Path) -> Report | None:
    """Read the run before; None if there is none, or one of another shape."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
