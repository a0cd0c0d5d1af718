"""Watches the platform's own tables until nothing is in flight any more."""

import asyncio
import time
from typing import Final, LiteralString

from loadtests.demo.evidence import Connection, connect
from loadtests.demo.pace import STANDSTILL_S, Pace, StandstillError
from loadtests.demo.progress import Board
from loadtests.demo.sql import evidence as queries

POLL_INTERVAL_S: Final = 0.2


async def watch(url: str, board: Board, pace: Pace) -> None:
    """Show the counts, and tell them to `pace`, until cancelled."""
    async with await connect(url) as connection:
        while True:
            _, final = await _counts(connection, board)
            pace.final(final)
            await asyncio.sleep(POLL_INTERVAL_S)


async def wait_until_settled(url: str, board: Board) -> None:
    """Return once every order is final, compensated and published.

    Raises StandstillError when nothing has changed for STANDSTILL_S.
    """
    async with await connect(url) as connection:
        last: tuple[int, ...] = ()
        moved_at = time.monotonic()
        while True:
            pending, _ = await _counts(connection, board)
            left = (
                pending,
                await _count(connection, queries.COMPENSATING),
                await _count(connection, queries.UNPUBLISHED),
            )
            if not any(left):
                return
            if left != last:
                last, moved_at = left, time.monotonic()
            if time.monotonic() - moved_at > STANDSTILL_S:
                raise StandstillError(
                    f"for {STANDSTILL_S:.0f} s nothing has moved: {left[0]} orders pending,"
                    f" {left[1]} compensating, {left[2]} outbox rows unpublished"
                )
            await asyncio.sleep(POLL_INTERVAL_S)


async def _counts(connection: Connection, board: Board) -> tuple[int, int]:
    """Show how many orders are pending and final, and return both."""
    row = await (await connection.execute(queries.PROGRESS)).fetchone() or {}
    board.final(row["confirmed"], row["rejected"], row["pending"])
    return row["pending"], row["confirmed"] + row["rejected"]


async def _count(connection: Connection, query: LiteralString) -> int:
    row = await (await connection.execute(query)).fetchone() or {}
    return row["count"]
