"""Prints the result of a run for the person who waited for it."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loadtests.benchmarks.report import Report, RowReport


def show(report: Report, console: Console) -> None:
    """Print one line a row, the goal beside the result, then why figures are missing."""
    table = Table(box=None, padding=(0, 2))
    table.add_column("row", no_wrap=True)
    for title in ("goal", "median", "lowest to highest"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in report.rows:
        table.add_row(*_cells(row))
    console.print(table)
    for row in report.rows:
        for reason in row.result.reasons:
            console.print(f"{row.key}: {escape(reason)}")


def goal_text(row: RowReport) -> str:
    sign = "≥" if row.better == "at least" else "≤"
    return f"{sign} {row.goal:g}"


def verdict_text(row: RowReport) -> str:
    if row.result.met is None:
        return "not measured"
    return "met" if row.result.met else "missed"


def _cells(row: RowReport) -> tuple[str, ...]:
    result = row.result
    if result.median is None or result.lowest is None or result.highest is None:
        return (row.key, goal_text(row), "-", "", f"[yellow]{verdict_text(row)}[/]")
    colour = "green" if result.met else "red"
    return (
        row.key,
        goal_text(row),
        f"{result.median:.2f}",
        f"{result.lowest:.2f} to {result.highest:.2f}",
        f"[{colour}]{verdict_text(row)}[/]",
    )
