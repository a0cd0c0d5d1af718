"""Draws lines over time as SVG that takes its colours from the page."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from msgspec import Struct

_WIDTH: Final = 900
_HEIGHT: Final = 190
_LEFT: Final = 64
_RIGHT: Final = 190
_TOP: Final = 28
_BOTTOM: Final = 26
_COLOURS: Final = 8
_LEGEND_MAX: Final = 10


class Line(Struct, frozen=True):
    """One curve: points of seconds and values."""

    name: str
    points: Sequence[tuple[float, float]]

    @property
    def highest(self) -> float:
        return max((value for _, value in self.points), default=0)


def lines_of(rows: Sequence[tuple[float, Mapping[str, float]]]) -> list[Line]:
    """Turn looks at several values into one curve for each, the highest first."""
    names = dict.fromkeys(name for _, values in rows for name in values)
    lines = [Line(name, [(at, row[name]) for at, row in rows if name in row]) for name in names]
    return sorted(lines, key=lambda line: -line.highest)


def chart(title: str, lines: Sequence[Line]) -> str:
    """Draw the curves from zero, with a legend at their side."""
    highest = max((line.highest for line in lines), default=0) or 1
    seconds = max((at for line in lines for at, _ in line.points), default=0) or 1
    parts = [
        _open(title),
        *(_grid_line(share, highest) for share in (0, 0.5, 1)),
        _end_of_time(seconds),
    ]
    for number, line in enumerate(lines):
        places = " ".join(
            f"{_LEFT + (_WIDTH - _LEFT - _RIGHT) * at / seconds:.1f},{_y(value / highest):.1f}"
            for at, value in line.points
        )
        colour = f"c{number % _COLOURS}"
        parts.append(f'<polyline class="line {colour}" points="{places}"/>')
        if number < _LEGEND_MAX:
            parts.append(
                f'<text class="legend {colour}" x="{_WIDTH - _RIGHT + 12}"'
                f' y="{_TOP + 8 + 15 * number}">{escape(line.name)} {shown(line.highest)}</text>'
            )
    return "".join((*parts, "</svg>"))


def shown(value: float) -> str:
    """Return a number with as many digits as it needs."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"  # noqa: PLR2004 - digits shown.


def _open(title: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}"'
        ' xmlns="http://www.w3.org/2000/svg">'
        f'<text class="title" x="{_LEFT}" y="16">{escape(title)}</text>'
    )


def _end_of_time(seconds: float) -> str:
    return (
        f'<text class="axis" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 8}" text-anchor="end">'
        f"{seconds:,.0f} s</text>"
    )


def _grid_line(share: float, highest: float) -> str:
    y = _y(share)
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="axis" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
        f"{shown(highest * share)}</text>"
    )


def _y(share: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share)
