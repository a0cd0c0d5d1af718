"""Kills the active relay and one worker with SIGKILL, and measures who takes over and when."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, LiteralString

from msgspec import Struct

from loadtests.demo.evidence import Connection, connect
from loadtests.demo.sql import evidence as queries

WORKER: Final = "worker-orders"
WORKER_CONSUMER: Final = "orders-worker"


class Killed(Struct, frozen=True, kw_only=True):
    """What was killed when, by the database's clock."""

    relay: str
    worker: str
    at: datetime
    epoch: int


class Takeover(Struct, frozen=True, kw_only=True):
    """Seconds from the kill to the first work done by whoever took over; None: never seen."""

    relay_s: float | None
    worker_s: float | None


async def disrupt(url: str, name_of: Callable[[str], str], kill: Callable[[str], None]) -> Killed:
    """Kill the relay that holds the lease, and the orders worker.

    `name_of` turns a lease holder into the name of its process.
    """
    async with await connect(url) as connection:
        lease = await _one(connection, queries.LEASE)
        now = await _one(connection, queries.NOW)
    relay = name_of(lease["holder"])
    kill(relay)
    kill(WORKER)
    return Killed(relay=relay, worker=WORKER, at=now["now"], epoch=lease["epoch"])


async def measure(url: str, killed: Killed) -> Takeover:
    """Read from the platform's own tables when work went on."""
    async with await connect(url) as connection:
        relay = await _one(connection, queries.TAKEOVER, killed_at=killed.at, epoch=killed.epoch)
        worker = await _one(
            connection, queries.RESUMED, killed_at=killed.at, consumer=WORKER_CONSUMER
        )
    return Takeover(relay_s=relay["seconds"], worker_s=worker["seconds"])


async def _one(connection: Connection, query: LiteralString, **params: object) -> dict[str, Any]:
    row = await (await connection.execute(query, params)).fetchone()
    if row is None:
        raise RuntimeError("the query returned no row")
    return row
