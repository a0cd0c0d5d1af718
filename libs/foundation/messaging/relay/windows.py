"""Reads the outbox window by window; of a backlog, the next one while the last is published."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.messaging.relay.cursor import Position
from libs.foundation.messaging.sql import outbox_windows
from libs.foundation.messaging.sql.outbox_windows import OutboxRow, Run


class Limits(Struct, frozen=True, kw_only=True):
    """Sizes of a window, and of the piece of a backlog that is sorted at once."""

    window_rows_max: int
    window_bytes_max: int
    backlog_rows_max: int


class Window(Struct, frozen=True):
    """Rows in order of seq, and where the cursor stands once all of them are dealt with."""

    rows: list[OutboxRow]
    after: Position


class WindowIncomplete(RuntimeError):
    """A planned window lost rows: somebody deleted or detached what was not published."""


class _Backlog(Struct):
    """A pair of snapshots with more than one window between them, sorted and cut."""

    prev: str
    cur: str
    windows: deque[list[Run]]
    is_whole: bool


class WindowReader:
    """Hands out windows from a committed position on, over a connection nobody else uses.

    Snapshots in memory are only good as long as the connection lives: after a crash of the
    database transaction ids are handed out again, and a kept snapshot would skip rows.
    """

    def __init__(self, connection: Connection, committed: Position, limits: Limits) -> None:
        self._connection = connection
        self._position = committed
        self._limits = limits
        self._backlog: _Backlog | None = None
        self._nothing_in: str | None = None
        self._ahead: asyncio.Task[Window | None] | None = None

    async def next(self) -> Window | None:
        """Return the next window; None when everything is published."""
        if self._ahead is None:
            window = await self._read()
        else:
            ahead, self._ahead = self._ahead, None
            window = await ahead
        if self._backlog is not None:
            self._ahead = asyncio.create_task(self._read())
        return window

    async def close(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            # Whatever it ran into, the session that would have used the window is over.
            await asyncio.gather(self._ahead, return_exceptions=True)

    async def _read(self) -> Window | None:
        if self._backlog is not None:
            return await self._read_backlog(self._backlog)
        at = self._position
        cur = at.cur or await outbox_windows.snapshot(self._connection)
        if cur == self._nothing_in:
            # Nobody has committed since: an idle poll does not look into the partitions again.
            return None
        page = await outbox_windows.read(
            self._connection,
            at.prev,
            cur,
            at.last_seq,
            rows_max=self._limits.window_rows_max,
            bytes_max=self._limits.window_bytes_max,
        )
        if not page.complete:
            return await self._read_backlog(await self._plan(at, cur))
        return self._pass(page.rows, cur)

    def _pass(self, rows: list[OutboxRow], cur: str) -> Window | None:
        """Move past a pair of snapshots; an empty poll moves nothing.

        Only a `cur` that is committed, or comes with a window that will be, may become `prev`.
        The end of a backlog may be a window without rows: else the committed cursor would stay
        before what is published, and no partition could be dropped until the next row.
        """
        if not rows and self._position.cur is None:
            self._nothing_in = cur
            return None
        self._position = Position(prev=cur)
        return Window(rows, self._position)

    async def _plan(self, at: Position, cur: str) -> _Backlog:
        runs = await outbox_windows.plan(
            self._connection,
            at.prev,
            cur,
            at.last_seq,
            rows_max=self._limits.window_rows_max,
            bytes_max=self._limits.window_bytes_max,
            backlog_rows_max=self._limits.backlog_rows_max,
        )
        rows = sum(run.rows for run in runs)
        is_whole = rows < self._limits.backlog_rows_max and len(runs) < outbox_windows.RUNS_MAX
        return _Backlog(at.prev, cur, deque(windows_of(runs)), is_whole)

    async def _read_backlog(self, backlog: _Backlog) -> Window:
        runs = backlog.windows.popleft()
        rows = await outbox_windows.read_runs(self._connection, backlog.prev, backlog.cur, runs)
        expected = sum(run.rows for run in runs)
        if len(rows) != expected:
            raise WindowIncomplete(f"{expected} rows were planned and {len(rows)} found")
        self._backlog = backlog if backlog.windows else None
        if self._backlog is None and backlog.is_whole:
            self._position = Position(prev=backlog.cur)
        else:
            last_seq = rows[-1].seq
            self._position = Position(prev=backlog.prev, cur=backlog.cur, last_seq=last_seq)
        return Window(rows, self._position)


def windows_of(runs: Sequence[Run]) -> list[list[Run]]:
    """Group consecutive runs by the window they belong to."""
    return [list(group) for _, group in groupby(runs, key=lambda run: run.window)]


@asynccontextmanager
async def open_windows(
    connection: Connection, committed: Position, limits: Limits
) -> AsyncGenerator[WindowReader]:
    """Read from `committed` on, and leave no read behind at the end."""
    reader = WindowReader(connection, committed, limits)
    try:
        yield reader
    finally:
        await reader.close()
