"""Renders the report as one page that needs nothing but itself: no script, no font, no network."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import Final

from loadtests.benchmarks.measurement import Sample
from loadtests.benchmarks.plots import Bar, bars_plot, ratios_plot
from loadtests.benchmarks.report import ContenderReport, Report, RowReport
from loadtests.benchmarks.summary import goal_text, verdict_text

_STYLE: Final = Path(__file__).with_name("page.css")
_UNITS: Final = ("orders", "events", "commands")
_LEGEND: Final = (
    '<p class="under">A ratio lies to the right of its goal where it is better than it;'
    " the line reaches from the lowest to the highest round.</p>"
)
_OTHERS_CORES_MAX: Final = 0.25
_LATENCIES: Final = {
    "p50_ms": "p50",
    "p99_ms": "p99",
    "p99_at_capacity_ms": "p99 at capacity",
    "p99_at_double_ms": "p99 at twice",
}


def render(report: Report) -> str:
    """Return the page."""
    body = "".join(
        (
            _head(report),
            _notes(report),
            _tally(report.rows),
            f'<div class="panel">{ratios_plot(report.rows)}</div>',
            _LEGEND,
            "<h2>Rows</h2>",
            _rows(report.rows),
            "<h2>Figures</h2>",
            _rates(report.contenders),
            _latencies(report.contenders),
            "<h2>Contenders</h2>",
            _contenders(report.contenders),
            "<h2>Machine and servers</h2>",
            _machine(report),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Orderly: benchmarks</title><style>{_STYLE.read_text(encoding='utf-8')}</style>"
        f"</head><body><main>{body}</main></body></html>\n"
    )


def others_cores(report: Report) -> float | None:
    """Return the median of the cores that programs outside the benchmark took."""
    found: list[float] = []
    for contender in report.contenders:
        for sample in contender.samples:
            facts = sample.measurement.facts if sample.measurement else {}
            if "machine_cores" in facts:
                ours = sum(
                    cores
                    for name, cores in facts.items()
                    if name.endswith("_cores")
                    and name not in {"machine_cores", "flow_generator_cores"}
                )
                found.append(max(0.0, facts["machine_cores"] - ours))
    return median(found) if found else None


def _head(report: Report) -> str:
    machine = report.machine
    return (
        "<h1>Orderly beside its peers and its limits</h1>"
        f'<p class="under">{report.started_at:%Y-%m-%d %H:%M} UTC · {report.scale.rounds}'
        f" interleaved rounds ({escape(report.scale.name)}) in {report.seconds / 60:.1f} min ·"
        f" {machine.cores} cores, {escape(machine.processor)} · sync of a page"
        f" {machine.sync.p50_us:,.0f} µs (p99 {machine.sync.p99_us:,.0f} µs) · replication factor"
        f" {report.servers.replication_factor}</p>"
    )


def _notes(report: Report) -> str:
    notes: list[str] = []
    if report.scale.name != "full":
        notes.append(f"A {report.scale.name} run: it shows where things stand, not what to quote.")
    others = others_cores(report)
    if others is not None and others > _OTHERS_CORES_MAX:
        notes.append(
            f"Programs outside the benchmark took {others:.2f} cores in the median turn:"
            " repeat it on a quiet machine."
        )
    return "".join(f'<p class="note">{escape(note)}</p>' for note in notes)


def _tally(rows: Sequence[RowReport]) -> str:
    counts = {"met": 0, "missed": 0, "not measured": 0}
    for row in rows:
        counts[verdict_text(row)] += 1
    kinds = {"met": "met", "missed": "missed", "not measured": ""}
    spans = (f'<span class="{kinds[name]}"><b>{n}</b>{name}</span>' for name, n in counts.items())
    return f'<div class="tally">{"".join(spans)}</div>'


def _rows(rows: Sequence[RowReport]) -> str:
    head = (
        "<tr><th>row</th><th>measured</th><th>beside</th><th class=number>goal</th>"
        "<th class=number>median</th><th class=number>lowest to highest</th>"
        "<th class=number>spread</th><th>result</th></tr>"
    )
    return f'<div class="panel"><table>{head}{"".join(map(_row, rows))}</table></div>'


def _row(row: RowReport) -> str:
    result = row.result
    kind = {True: "met", False: "missed", None: "absent"}[result.met]
    numbers = ("", "", "")
    if result.median is not None and result.lowest is not None and result.highest is not None:
        numbers = (
            f"<b>{result.median:.2f}</b>",
            f"{result.lowest:.2f} to {result.highest:.2f}",
            f"{(result.spread or 0):.0%}",
        )
    return (
        f"<tr><td>{_broken_at_underscores(row.key)}</td><td>{escape(row.measured)}</td>"
        f"<td>{escape(row.beside)}</td><td class=number>{escape(goal_text(row))}</td>"
        + "".join(f"<td class=number>{number}</td>" for number in numbers)
        + f'<td class="{kind}">{verdict_text(row)}</td></tr>'
        + _reasons(result.reasons)
    )


def _reasons(reasons: Sequence[str]) -> str:
    if not reasons:
        return ""
    lines = "<br>".join(escape(reason) for reason in reasons)
    return f'<tr class="reason"><td></td><td colspan="7">{lines}</td></tr>'


def _broken_at_underscores(key: str) -> str:
    return f"<code>{escape(key).replace('_', '_<wbr>')}</code>"


def _rates(contenders: Sequence[ContenderReport]) -> str:
    panels: list[str] = []
    for unit in _UNITS:
        of_unit = [each for each in contenders if each.unit == unit]
        bars = [bar for each in of_unit if (bar := _bar(each, "rate", each.name)) is not None]
        if bars:
            title = f"{unit} a second: median as a bar, rounds as dots"
            panels.append(f'<div class="panel">{bars_plot(title, bars)}</div>')
    return "".join(panels)


def _latencies(contenders: Sequence[ContenderReport]) -> str:
    bars = [
        bar
        for each in contenders
        for figure, words in _LATENCIES.items()
        if (bar := _bar(each, figure, f"{each.name} {words}")) is not None
    ]
    if not bars:
        return ""
    return f'<div class="panel">{bars_plot("milliseconds: less is better", bars)}</div>'


def _bar(contender: ContenderReport, figure: str, label: str) -> Bar | None:
    values = tuple(
        sample.measurement.figures[figure]
        for sample in contender.samples
        if sample.measurement is not None and figure in sample.measurement.figures
    )
    return Bar(label=label, middle=median(values), values=values) if values else None


def _contenders(contenders: Iterable[ContenderReport]) -> str:
    return f'<div class="panel">{"".join(map(_contender, contenders))}</div>'


def _contender(contender: ContenderReport) -> str:
    absent = f" Not measured: {contender.absent}" if contender.absent else ""
    settings = "".join(
        f"<tr><td>{escape(name)}</td><td><code>{escape(text)}</code></td></tr>"
        for name, text in contender.settings.items()
    )
    samples = "".join(
        f"<tr><td>round {sample.round + 1}</td><td>{_sample(sample.failure, _texts(sample))}</td>"
        "</tr>"
        for sample in contender.samples
    )
    return (
        f"<details><summary><code>{escape(contender.name)}</code>"
        f" <span>{escape(contender.what + absent)}</span></summary>"
        f"<table>{settings}{samples}</table></details>"
    )


def _texts(sample: Sample) -> list[str]:
    if sample.measurement is None:
        return []
    measured = sample.measurement
    return [
        *(f"{name} {value:,.4g}" for name, value in measured.figures.items()),
        *(f"{name} refused: {reason}" for name, reason in measured.refused.items()),
        *(f"{name} {value:,.4g}" for name, value in measured.facts.items()),
    ]


def _sample(failure: str | None, texts: Sequence[str]) -> str:
    return escape(failure or "; ".join(texts))


def _machine(report: Report) -> str:
    machine, servers = report.machine, report.servers
    pairs = {
        "cores": f"{machine.cores}, {machine.processor}",
        "memory": f"{machine.memory_gib} GiB",
        "system": f"{machine.kernel}, load average before the run {machine.load_average}",
        "Python": machine.python,
        "libraries": ", ".join(f"{name} {text}" for name, text in machine.libraries.items()),
        "PostgreSQL": servers.postgres,
        "its settings": ", ".join(f"{k}={v}" for k, v in servers.postgres_settings.items()),
        "Kafka": f"{servers.kafka}, one broker, replication factor {servers.replication_factor}",
        "generator": servers.generator,
    }
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in pairs.items()
    )
    return f'<div class="panel"><table>{rows}</table></div>'
