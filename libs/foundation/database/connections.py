"""Opens connections and pools with the limits, types and prepared statements of this project."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from select import POLLIN, poll
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper
from psycopg_pool import AsyncConnectionPool

from libs.foundation.database.settings import DatabaseSettings

Connection = AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]

# Idle sockets are probed after 10 s: a peer that vanished is noticed within 25 s, not in 2 h.
_KEEPALIVES: Final = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}

# A plan is kept until its table is analysed. One made while the table was small scans or hashes
# all of it, and goes on doing so for a minute of growth; with these off it stays a lookup.
_BY_KEY: Final = " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"

# psycopg_pool doubles its waits between attempts until this much time has passed. Its default of
# 300 s would leave a pool without connections for minutes after the server is back.
_RECONNECT_S: Final = 2.0


async def configure(connection: Connection) -> None:
    """Prepare every statement at first use and send every integer as bigint.

    Without the dumpers psycopg picks int2, int4 or int8 by value, and one query becomes 2^n
    prepared statements.
    """
    connection.prepare_threshold = 0
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(int, Int8BinaryDumper)


def connect_arguments(settings: DatabaseSettings, name: str) -> dict[str, Any]:
    """Return psycopg's connect arguments: `name` is what pg_stat_activity shows."""
    options = (
        f"-c statement_timeout={settings.statement_timeout_ms}"
        f" -c lock_timeout={settings.lock_timeout_ms}"
        f" -c transaction_timeout={settings.transaction_timeout_ms}"
        f" -c idle_in_transaction_session_timeout={settings.transaction_timeout_ms}"
        " -c timezone=UTC"
    )
    return {
        "application_name": name,
        "connect_timeout": settings.connect_timeout_s,
        "tcp_user_timeout": settings.tcp_user_timeout_ms,
        "options": options,
        "autocommit": True,
        **_KEEPALIVES,
    }


def _has_news(connection: Connection) -> bool:
    """Say whether an idle connection can be read: a server that goes down closes its end."""
    reading = poll()
    reading.register(connection.fileno(), POLLIN)
    return bool(reading.poll(0))


@asynccontextmanager
async def open_connection(settings: DatabaseSettings, name: str) -> AsyncGenerator[Connection]:
    """Open one dedicated autocommit connection and close it at the end."""
    connection = await AsyncConnection.connect(settings.url, **connect_arguments(settings, name))
    try:
        await configure(connection)
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def open_pool(
    settings: DatabaseSettings, name: str, *, by_key: bool = False
) -> AsyncGenerator[Pool]:
    """Open a bounded pool of autocommit connections.

    `by_key` promises that every statement finds its rows by key, and keeps their plans so.

    A caller waits at most `pool_wait_timeout_ms`, behind at most `pool_waiting_max` others;
    beyond that psycopg_pool raises PoolTimeout or TooManyRequests, which edges map to overload.
    """
    arguments = connect_arguments(settings, name)
    if by_key:
        arguments["options"] += _BY_KEY

    async def check(connection: Connection) -> None:
        """Ask a connection that has news, and all that lie idle; silent ones cost no round trip.

        Without it each connection fails one caller after the server was away.
        """
        if _has_news(connection):
            await pool.check()
            await pool.check_connection(connection)

    pool: Pool = AsyncConnectionPool(
        settings.url,
        kwargs=arguments,
        configure=configure,
        check=check,
        # Else it would try again only for a new caller, whom it refuses as long as its queue is
        # full of callers that have given up: for ever.
        reconnect_failed=AsyncConnectionPool.check,
        min_size=min(2, settings.pool_size_max),
        max_size=settings.pool_size_max,
        max_waiting=settings.pool_waiting_max,
        timeout=settings.pool_wait_timeout_ms / 1_000,
        reconnect_timeout=_RECONNECT_S,
        name=name,
        open=False,
    )
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()
