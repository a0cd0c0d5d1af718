"""The summary people read, and the same as JSON for machines."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from loadtests.demo.checks import Evidence, Verdict, duplicates_absorbed
from loadtests.demo.disruption import Killed, Takeover
from loadtests.demo.purchases import Skipped
from loadtests.demo.replay import Sent


class Timings(Struct, frozen=True, kw_only=True):
    """Wall-clock seconds of the two phases people wait for."""

    replay_s: float
    until_final_s: float


class Latency(Struct, frozen=True, kw_only=True):
    """Percentiles in milliseconds."""

    p50_ms: float
    p99_ms: float


class Latencies(Struct, frozen=True, kw_only=True):
    """The first orders come at an easy rate, the rest as fast as they are answered."""

    calm: Latency
    rush: Latency


class Report(Struct, frozen=True, kw_only=True):
    """Everything the demo found."""

    passed: bool
    orders: int
    outcomes: dict[str, int]
    accept: Latencies
    place_to_final: Latencies
    events: int
    duplicates_absorbed: int
    requests_repeated: int
    killed: Killed
    takeover: Takeover
    timings: Timings
    skipped: tuple[Skipped, ...]
    checks: tuple[Verdict, ...]


def make_report(
    evidence: Evidence,
    verdicts: Sequence[Verdict],
    killed: Killed,
    takeover: Takeover,
    timings: Timings,
    skipped: tuple[Skipped, ...],
) -> Report:
    """Put figures and verdicts together."""
    outcomes: dict[str, int] = {}
    for row in evidence.database.orders:
        label = row.reason or row.status
        outcomes[label] = outcomes.get(label, 0) + 1
    return Report(
        passed=all(verdict.held for verdict in verdicts),
        orders=len(evidence.plan.orders),
        outcomes=dict(sorted(outcomes.items(), key=lambda item: -item[1])),
        accept=_latencies(evidence, lambda sent: sent.answer.seconds * 1_000),
        place_to_final=_latencies(evidence, _place_to_final(evidence)),
        events=len(evidence.records),
        duplicates_absorbed=duplicates_absorbed(evidence.records),
        requests_repeated=sum(sent.answer.attempts - 1 for sent in evidence.sent),
        killed=killed,
        takeover=takeover,
        timings=timings,
        skipped=skipped,
        checks=tuple(verdicts),
    )


def _place_to_final(evidence: Evidence) -> Callable[[Sent], float | None]:
    rows = evidence.rows()

    def milliseconds(sent: Sent) -> float | None:
        row = rows.get(sent.order.reference)
        if row is None or row.final_at is None:
            return None
        return (row.final_at - row.placed_at) / timedelta(milliseconds=1)

    return milliseconds


def _latencies(evidence: Evidence, measured: Callable[[Sent], float | None]) -> Latencies:
    found = [(sent.calm, measured(sent)) for sent in evidence.sent]
    return Latencies(
        calm=_latency([each for calm, each in found if calm and each is not None]),
        rush=_latency([each for calm, each in found if not calm and each is not None]),
    )


def _latency(milliseconds: Sequence[float]) -> Latency:
    ordered = sorted(milliseconds)
    if not ordered:
        return Latency(p50_ms=0, p99_ms=0)
    return Latency(
        p50_ms=round(ordered[len(ordered) // 2], 1),
        p99_ms=round(ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], 1),
    )


def write(report: Report, path: Path) -> None:
    """Write the report as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def show(report: Report, console: Console) -> None:
    """Print figures, then checks, then the one line that matters."""
    figures = Table(show_header=False, box=None, padding=(0, 2))
    for label, value in _figures(report):
        figures.add_row(label, value)
    checks = Table(show_header=False, box=None, padding=(0, 2))
    for verdict in report.checks:
        mark = "[green]held[/]" if verdict.held else "[red]FAILED[/]"
        checks.add_row(mark, verdict.name, f"[dim]{verdict.detail}[/]")
        for difference in verdict.differences:
            checks.add_row("", f"[red]{difference}[/]", "")
    for part in ("", figures, "", checks, ""):
        console.print(part)
    if report.passed:
        console.print("[bold green]Every order accounted for.[/]")
    else:
        console.print("[bold red]The books do not balance: see the failed checks above.[/]")


def _figures(report: Report) -> list[tuple[str, str]]:
    outcomes = ", ".join(f"{count:,} {label}" for label, count in report.outcomes.items())
    return [
        ("orders", f"{report.orders:,}: {outcomes}"),
        ("accepted in", _percentiles(report.accept)),
        ("placed to final in", _percentiles(report.place_to_final)),
        (
            "replayed in",
            f"{report.timings.replay_s:.1f} s, final {report.timings.until_final_s:.1f} s later",
        ),
        (
            "events",
            f"{report.events:,} in Kafka, {report.duplicates_absorbed:,} duplicates absorbed",
        ),
        ("requests repeated", f"{report.requests_repeated:,}"),
        ("killed", f"{report.killed.relay} and {report.killed.worker}, with SIGKILL, halfway"),
        (
            "taken over in",
            _takeover(report.takeover),
        ),
        ("rows skipped", f"{len(report.skipped):,}"),
    ]


def _takeover(takeover: Takeover) -> str:
    return f"relay {_seconds(takeover.relay_s)}, worker {_seconds(takeover.worker_s)}"


def _percentiles(latencies: Latencies) -> str:
    return f"calm {_range(latencies.calm)}; in the rush {_range(latencies.rush)}"


def _range(latency: Latency) -> str:
    return f"p50 {latency.p50_ms:,.0f} ms, p99 {latency.p99_ms:,.0f} ms"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
