"""The chores of the database: partitions made ahead, old ones dropped, what is over deleted."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

import psycopg
from msgspec import Struct

from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Connection
from libs.foundation.messaging.relay import metrics
from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.messaging.sql import partitions, upkeep_rounds
from libs.foundation.messaging.sql.partitions import Parent
from libs.foundation.observability.logs import get_logger

_log: Final = get_logger(__name__)

_EXPIRED_ROWS_MAX: Final = 1_000
# Of what is over, a round deletes no more: a first round after months must not hold up the others.
_CHUNKS_MAX: Final = 100
_CLOCKS_APART_MAX: Final = timedelta(minutes=1)


class Chore(Struct, frozen=True, kw_only=True):
    """One thing to do again and again; it stands alone, and returns what it has changed."""

    name: str
    do: Callable[[Connection, RelaySettings], Awaitable[int]]
    destroys: bool = False
    parent: Parent | None = None


async def _make(connection: Connection, settings: RelaySettings, *, parent: Parent) -> int:
    return await partitions.make_ahead(connection, parent, settings.partitions_ahead_hours)


async def _drop(connection: Connection, settings: RelaySettings, *, parent: Parent) -> int:
    """Drop old partitions one by one; stop at the first that is busy or still needed."""
    keep_hours = settings.inbox_kept_hours if parent == "inbox" else settings.outbox_kept_hours
    dropped = 0
    while await partitions.drop_oldest(connection, parent, keep_hours):
        dropped += 1
    return dropped


async def _expire_keys(connection: Connection, settings: RelaySettings) -> int:
    return await _in_chunks(
        lambda: partitions.expire_idempotency_keys(
            connection, settings.idempotency_kept_hours, _EXPIRED_ROWS_MAX
        )
    )


async def _expire_buckets(connection: Connection, _settings: RelaySettings) -> int:
    return await _in_chunks(lambda: partitions.expire_quota_buckets(connection, _EXPIRED_ROWS_MAX))


async def _expire_finished(connection: Connection, settings: RelaySettings) -> int:
    return await _in_chunks(
        lambda: partitions.expire_finished(
            connection, settings.finished_kept_hours, _EXPIRED_ROWS_MAX
        )
    )


async def _in_chunks(expire: Callable[[], Awaitable[int]]) -> int:
    expired = 0
    for _ in range(_CHUNKS_MAX):
        count = await expire()
        expired += count
        if count == 0:
            break
    return expired


_PARENTS: Final[tuple[Parent, ...]] = ("outbox", "outbox_cursor", "inbox")
CHORES: Final = (
    *(Chore(name=f"make_{p}", do=partial(_make, parent=p), parent=p) for p in _PARENTS),
    *(Chore(name=f"drop_{p}", do=partial(_drop, parent=p), destroys=True) for p in _PARENTS),
    Chore(name="expire_idempotency_keys", do=_expire_keys, destroys=True),
    # A full bucket is as good as none: no clock can make it matter.
    Chore(name="expire_quota_buckets", do=_expire_buckets),
    Chore(name="expire_finished", do=_expire_finished, destroys=True),
)


async def keep_house(
    connection: Connection, settings: RelaySettings, ahead_s: Mapping[str, float] | None = None
) -> None:
    """Do each chore that is due and that no other process has begun.

    `ahead_s` says how far the partitions of a table reach: a table that is about to refuse rows
    does not wait for its next round.
    """
    for chore in CHORES:
        pause_s = settings.housekeeping_ms / 1_000
        if chore.parent is not None and (ahead_s or {}).get(chore.parent, 1.0) <= 0.0:
            pause_s = 0.0
        turn = await upkeep_rounds.begin(connection, chore.name, pause_s)
        if turn is None:
            continue
        if chore.destroys and not _is_plausible(turn):
            _log.warning("clock_not_trusted", chore=chore.name, database_time=str(turn.now))
            continue
        await _do(chore, connection, settings)


def _is_plausible(turn: upkeep_rounds.Round) -> bool:
    """Say whether the database's clock may decide that something is old.

    One that jumped ahead would drop what consumers still have to remember.
    """
    return turn.is_steady and abs(turn.now - utc_now()) < _CLOCKS_APART_MAX


async def _do(chore: Chore, connection: Connection, settings: RelaySettings) -> None:
    try:
        changed = await chore.do(connection, settings)
    except psycopg.Error as error:
        metrics.HOUSEKEEPING_FAILED.inc()
        _log.warning("chore_failed", chore=chore.name, error=str(error))
        if connection.closed:
            raise
        return
    await upkeep_rounds.succeeded(connection, chore.name)
    if changed:
        _log.info("house_kept", chore=chore.name, changed=changed)
