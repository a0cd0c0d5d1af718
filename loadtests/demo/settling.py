"""Watches the platform's own tables until nothing is in flight any more."""

import asyncio
import time
from typing import Final, LiteralString

from loadtests.demo.evidence import Connection, connect
from loadtests.demo.progress import Board
from loadtests.demo.sql import evidence as queries

POLL_INTERVAL_S: Final = 0.5
# Nothing moved for this long: the platform is stuck, and waiting longer would hide it.
STANDSTILL_S: Final = 60.0


class StandstillError(RuntimeError):
    """Orders are still on their way and nothing moves."""


async def watch(url: str, board: Board) -> None:
    """Show the counts until cancelled."""
    async with await connect(url) as connection:
        while True:
            await _counts(connection, board)
            await asyncio.sleep(POLL_INTERVAL_S)


async def wait_until_settled(url: str, board: Board) -> None:
    """Return once every order is final, compensated and published.

    Raises StandstillError when nothing has changed for STANDSTILL_S.
    """
    async with await connect(url) as connection:
        last: tuple[int, ...] = ()
        moved_at = time.monotonic()
        while True:
            left = (
                await _counts(connection, board),
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


async def _counts(connection: Connection, board: Board) -> int:
    """Show how many orders are where, and return how many are pending."""
    row = await (await connection.execute(queries.PROGRESS)).fetchone() or {}
    board.final(row["confirmed"], row["rejected"], row["pending"])
    return row["pending"]


async def _count(connection: Connection, query: LiteralString) -> int:
    row = await (await connection.execute(query)).fetchone() or {}
    return row["count"]
