"""Renders one run as a page that needs nothing but itself, in light and dark."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from loadtests.benchmarks import page as benchmarks_page
from loadtests.scenarios.charts import Line, chart, lines_of, shown
from loadtests.scenarios.generator import Second
from loadtests.scenarios.report import Report, Verdict

_STYLES: Final = (
    Path(benchmarks_page.__file__).with_name("page.css"),
    Path(__file__).with_name("page.css"),
)
_WORST_SHOWN: Final = 20


def render(report: Report, before: Report | None) -> str:
    """Return the page; `before` is the previous run of the same scenario."""
    body = "".join(
        (
            _head(report),
            _verdicts(report, before),
            _knee(report),
            "<h2>Orders over time</h2>",
            _panels(_order_charts(_seconds(report))),
            "<h2>Queues, lag, processes</h2>",
            _panels(_process_charts(report)),
            "<h2>Stages of an order</h2>",
            _stages(report),
            "<h2>Invariants</h2>",
            _invariants(report.outcome.broken),
        )
    )
    style = "".join(path.read_text(encoding="utf-8") for path in _STYLES)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Orderly: load, {escape(report.scenario.name)}</title><style>{style}</style>"
        f"</head><body><main>{body}</main></body></html>\n"
    )


def _head(report: Report) -> str:
    machine = report.machine
    sent = report.outcome.sent
    cores = max(each.cores for each in sent)
    return (
        f"<h1>Load: {escape(report.scenario.name)}</h1>"
        f'<p class="under">{escape(report.scenario.what)} · {report.started_at:%Y-%m-%d %H:%M} UTC'
        f" · {sum(each.sent for each in sent):,} orders sent of"
        f" {sum(each.planned for each in sent):,} planned,"
        f" {sum(each.accepted for each in sent):,} accepted · {machine.cores} cores,"
        f" {escape(machine.processor)}, load average before {machine.load_average} · the generator"
        f" took {cores:.2f} cores</p>"
    )


def _verdicts(report: Report, before: Report | None) -> str:
    earlier = {each.name: each.figure for each in before.verdicts} if before else {}
    when = f"{before.started_at:%Y-%m-%d %H:%M}" if before else "none"
    rows = "".join(_verdict(each, earlier.get(each.name)) for each in report.verdicts)
    return (
        '<div class="panel"><table><tr><th>figure</th><th class=number>measured</th>'
        f"<th class=number>at most</th><th class=number>run before ({escape(when)})</th>"
        f"<th>result</th></tr>{rows}</table></div>"
    )


def _verdict(verdict: Verdict, earlier: float | None) -> str:
    kind, words = ("met", "held") if verdict.holds else ("missed", "not held")
    figure = escape(verdict.reason) if verdict.figure is None else shown(verdict.figure)
    return (
        f"<tr><td><code>{escape(verdict.name)}</code></td><td class=number>{figure}</td>"
        f"<td class=number>{shown(verdict.at_most)}</td>"
        f"<td class=number>{'' if earlier is None else shown(earlier)}</td>"
        f'<td class="{kind}">{words}</td></tr>'
    )


def _knee(report: Report) -> str:
    knee = report.knee
    if knee is None:
        return ""
    busy = ", ".join(f"{name} {cores:.2f}" for name, cores in list(knee.busiest.items())[:4])
    queued = ", ".join(f"{name} {length:,.0f}" for name, length in list(knee.longest.items())[:4])
    end = "no step failed" if knee.next_rate is None else f"{knee.next_rate:,.0f}/s did not hold"
    return (
        f'<p class="note">Knee: <b>{knee.rate:,.0f} orders/s</b> with p99 within'
        f" {knee.p99_max_ms:,.0f} ms; {end}. Cores in the last step: {escape(busy)}."
        f" Longest queues in it: {escape(queued)}.</p>"
    )


def _seconds(report: Report) -> list[tuple[float, Second]]:
    """Put the seconds of one schedule after the other."""
    flat = [second for sent in report.outcome.sent for second in sent.seconds]
    return [(float(number), second) for number, second in enumerate(flat)]


def _order_charts(seconds: Sequence[tuple[float, Second]]) -> list[str]:
    return [
        chart(
            "orders a second",
            [
                Line("sent", [(at, each.sent) for at, each in seconds]),
                Line("accepted", [(at, each.accepted) for at, each in seconds]),
                Line("shed", [(at, each.other) for at, each in seconds]),
            ],
        ),
        chart(
            "milliseconds from the intended start to the answer",
            [
                Line("p99", [(at, each.p99_ms) for at, each in seconds]),
                Line("p50", [(at, each.p50_ms) for at, each in seconds]),
            ],
        ),
    ]


def _process_charts(report: Report) -> list[str]:
    samples = report.outcome.samples
    return [
        chart("queues", lines_of([(each.at_s, each.queues) for each in samples])),
        chart("lag, seconds", lines_of([(each.at_s, each.lags) for each in samples])),
        chart("cores", lines_of([(each.at_s, each.cores) for each in samples])),
        chart(
            "memory of its own, MiB", lines_of([(each.at_s, each.memory_mib) for each in samples])
        ),
    ]


def _stages(report: Report) -> str:
    rows = "".join(
        f"<tr><td>{escape(each.stage)}</td><td class=number>{each.messages:,}</td>"
        f"<td class=number>{shown(each.p50_ms)}</td><td class=number>{shown(each.p95_ms)}</td>"
        f"<td class=number>{shown(each.p99_ms)}</td></tr>"
        for each in report.outcome.stages
    )
    return (
        '<div class="panel"><table><tr><th>from written to</th><th class=number>messages</th>'
        "<th class=number>p50 ms</th><th class=number>p95 ms</th><th class=number>p99 ms</th></tr>"
        f"{rows}</table></div>"
    )


def _invariants(broken: Sequence[str]) -> str:
    if not broken:
        return '<p class="met">All hold.</p>'
    shown_ones = "".join(f"<li><code>{escape(each)}</code></li>" for each in broken[:_WORST_SHOWN])
    return f'<p class="missed">{len(broken):,} are broken.</p><ul>{shown_ones}</ul>'


def _panels(parts: Iterable[str]) -> str:
    return "".join(f'<div class="panel">{part}</div>' for part in parts)
