"""Draws the report's plots as SVG that takes its colours from the page."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from msgspec import Struct

from loadtests.benchmarks.report import RowReport
from loadtests.benchmarks.summary import goal_text, verdict_text

_WIDTH: Final = 900
_LABEL: Final = 270
_VALUE: Final = 150
_LINE: Final = 30
_TOP: Final = 34
_DECADES: Final = 1.0
"""The plot of ratios reaches from a tenth of a goal to ten times of it."""


class Bar(Struct, frozen=True, kw_only=True):
    """One contender: its median, and every round's value."""

    label: str
    middle: float
    values: tuple[float, ...]


def ratios_plot(rows: Sequence[RowReport]) -> str:
    """Draw every ratio as a share of its goal; to the right is better, whatever the goal says."""
    height = _TOP + _LINE * len(rows) + 8
    parts = [_open(height, "Ratios beside their goals"), _grid(height)]
    for number, row in enumerate(rows):
        parts.append(_ratio_line(row, _TOP + _LINE * number + _LINE / 2))
    parts.append("</svg>")
    return "".join(parts)


def goodness(row: RowReport, ratio: float) -> float:
    """Return how far a ratio is beyond its goal: 1 is the goal, above is better."""
    if ratio <= 0:
        return 10**_DECADES if row.better == "at most" else 10**-_DECADES
    return ratio / row.goal if row.better == "at least" else row.goal / ratio


def bars_plot(title: str, bars: Sequence[Bar]) -> str:
    """Draw medians as bars and the rounds as dots, from zero."""
    height = _TOP + _LINE * len(bars) + 8
    highest = max((value for bar in bars for value in (*bar.values, bar.middle)), default=1) or 1
    parts = [_open(height, title), f'<text class="axis" x="{_LABEL}" y="18">{escape(title)}</text>']
    for number, bar in enumerate(bars):
        middle = _TOP + _LINE * number + _LINE / 2
        parts.append(_bar(bar, middle, highest))
    parts.append("</svg>")
    return "".join(parts)


def _bar(bar: Bar, middle: float, highest: float) -> str:
    length = _span() * bar.middle / highest
    dots = (
        f'<circle class="dot" cx="{_LABEL + _span() * value / highest:.1f}" cy="{middle:.1f}"'
        ' r="3"/>'
        for value in bar.values
    )
    return (
        _label(bar.label, middle)
        + f'<rect class="bar" x="{_LABEL}" y="{middle - 8:.1f}" width="{length:.1f}"'
        ' height="16" rx="2"/>' + "".join(dots) + _value(_number(bar.middle), middle)
    )


def _ratio_line(row: RowReport, middle: float) -> str:
    result = row.result
    text = f"{goal_text(row)}"
    if result.median is None:
        return (
            _label(row.key, middle) + f'<text class="missing" x="{_at(1) + 10:.1f}"'
            f' y="{middle + 4:.1f}">not measured</text>' + _value(text, middle)
        )
    kind = "met" if result.met else "missed"
    places = [_at(goodness(row, ratio)) for ratio in result.ratios]
    spot = _at(goodness(row, result.median))
    shape = (
        f'<circle class="{kind}" cx="{spot:.1f}" cy="{middle:.1f}" r="6"/>'
        if result.met
        else f'<rect class="{kind}" x="{spot - 5:.1f}" y="{middle - 5:.1f}" width="10" height="10"'
        f' transform="rotate(45 {spot:.1f} {middle:.1f})"/>'
    )
    return (
        f"<g><title>{escape(row.key)}: {result.median:.3g}, goal {escape(text)},"
        f" {verdict_text(row)}</title>"
        + _label(row.key, middle)
        + f'<line class="range {kind}" x1="{min(places):.1f}" x2="{max(places):.1f}"'
        f' y1="{middle:.1f}" y2="{middle:.1f}"/>'
        + shape
        + _value(f"{result.median:.2f}  ({text})", middle)
        + "</g>"
    )


def _grid(height: int) -> str:
    lines: list[str] = []
    for share, name in (
        (0.1, "a tenth"),
        (0.5, "half"),
        (1, "goal"),
        (2, "twice"),
        (10, "ten times"),
    ):
        place = _at(share)
        kind = "goal" if share == 1 else "grid"
        lines.append(
            f'<line class="{kind}" x1="{place:.1f}" x2="{place:.1f}" y1="{_TOP - 8}"'
            f' y2="{height - 4}"/><text class="axis" x="{place:.1f}" y="18"'
            f' text-anchor="middle">{name}</text>'
        )
    return "".join(lines)


def _at(share: float) -> float:
    """Return where a share of the goal lies, on a logarithmic scale that ends at its limits."""
    decades = max(-_DECADES, min(_DECADES, math.log10(share)))
    return _LABEL + _span() * (decades + _DECADES) / (2 * _DECADES)


def _span() -> float:
    return _WIDTH - _LABEL - _VALUE


def _open(height: int, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}"'
        ' xmlns="http://www.w3.org/2000/svg">'
    )


def _label(text: str, middle: float) -> str:
    return (
        f'<text class="label" x="{_LABEL - 14}" y="{middle + 4:.1f}" text-anchor="end">'
        f"{escape(text)}</text>"
    )


def _value(text: str, middle: float) -> str:
    return (
        f'<text class="value" x="{_WIDTH - 8}" y="{middle + 4:.1f}" text-anchor="end">'
        f"{escape(text)}</text>"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"  # noqa: PLR2004 - digits shown.
