"""How commands answer: tables for people, JSON with stable names for machines."""

import sys
from typing import Final

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

UNKNOWN: Final = "unknown"
_DURATIONS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_SIZES: Final = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"), (1, "B"))


def as_json(value: Struct) -> None:
    """Print one object, whatever the width of the terminal."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def table(console: Console, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table, or nothing when it would be empty."""
    if not rows:
        return
    shown = Table(*columns)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)


def seconds(value: float | None) -> str:
    """Write a duration as people read it."""
    if value is None:
        return UNKNOWN
    unit, name = next(
        ((unit, name) for unit, name in _DURATIONS if value >= 2 * unit), _DURATIONS[-1]
    )
    return f"{value / unit:.1f} {name}"


def size(count: int) -> str:
    """Write a number of bytes as people read it."""
    unit, name = next(((unit, name) for unit, name in _SIZES if count >= 10 * unit), _SIZES[-1])
    return f"{count // unit} {name}"


def rate(value: float | None) -> str:
    """Write a rate; None is one that nobody has told."""
    return UNKNOWN if value is None else f"{value:.1f}/s"


def number(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)
