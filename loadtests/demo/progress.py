"""The progress bars with live counts."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from loadtests.demo.plan import Plan


class Board:
    """Three bars: articles stocked, orders accepted, orders final; and a line of counts."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self._progress = Progress(
            TextColumn("{task.description:>16}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[note]}[/]"),
            console=console,
        )
        orders = len(plan.orders)
        self._stocked = self._progress.add_task("articles stocked", total=len(plan.prices), note="")
        self._accepted = self._progress.add_task("orders accepted", total=orders, note="")
        self._final = self._progress.add_task("orders final", total=orders, note="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def stocked(self) -> None:
        """Count one article."""
        self._progress.advance(self._stocked)

    def accepted(self) -> None:
        """Count one answered order."""
        self._progress.advance(self._accepted)

    def note(self, text: str) -> None:
        """Say beside the accepted orders what has just happened."""
        self._progress.update(self._accepted, note=text)

    def final(self, confirmed: int, rejected: int, pending: int) -> None:
        """Show how many orders have reached their end."""
        note = f"{confirmed:,} confirmed, {rejected:,} rejected, {pending:,} on their way"
        self._progress.update(self._final, completed=confirmed + rejected, note=note)
