"""Partitions of the outbox, its cursor and the inbox, made ahead and dropped when old."""

from typing import Final, Literal

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch

Parent = Literal["outbox", "outbox_cursor", "inbox"]

_MAKE_HOURLY: Final = """
    SELECT messaging.make_time_partitions(%(parent)s::text, now(), '1 hour', %(hours)s::int)"""
_MAKE_DAILY: Final = """
    SELECT messaging.make_inbox_partitions(now(), %(days)s::int)"""
_DROP: Final = """
    SELECT messaging.drop_old_partition(%(parent)s::text, %(keep_hours)s * interval '1 hour')"""
_EXPIRE_KEYS: Final = """
    SELECT web.expire_idempotency_keys(%(keep_hours)s * interval '1 hour', %(rows_max)s::int)"""
_EXPIRE_FINISHED: Final = """
    SELECT messaging.expire_finished(%(keep_hours)s * interval '1 hour', %(rows_max)s::int)"""

_EXPIRE_BUCKETS: Final = """
    SELECT web.expire_quota_buckets(%(rows_max)s::int)"""


async def make_ahead(connection: Connection, parent: Parent, hours: int) -> int:
    """Make what is missing for the next `hours`, and return how many were made.

    Waits for no writer, since tables are attached; raises LockNotAvailable when the table is
    locked altogether, or another one makes partitions at this moment.
    """
    if parent == "inbox":
        return (await fetch(connection, int, _MAKE_DAILY, days=-(-hours // 24) + 1))[0]
    return (await fetch(connection, int, _MAKE_HOURLY, parent=parent, hours=hours))[0]


async def drop_oldest(connection: Connection, parent: Parent, keep_hours: int) -> str | None:
    """Drop the oldest partition that is over `keep_hours` old; return its name.

    Raises psycopg's ObjectInUse while it is needed, and LockNotAvailable under load: try later.
    """
    found = await fetch(connection, object, _DROP, parent=parent, keep_hours=keep_hours)
    return None if found[0] is None else str(found[0])


async def expire_idempotency_keys(connection: Connection, keep_hours: int, rows_max: int) -> int:
    """Delete up to `rows_max` idempotency keys that are over `keep_hours` old."""
    found = await fetch(connection, int, _EXPIRE_KEYS, keep_hours=keep_hours, rows_max=rows_max)
    return found[0]


async def expire_finished(connection: Connection, keep_hours: int, rows_max: int) -> int:
    """Delete finished requests and resolved parked messages, up to `rows_max` of each."""
    found = await fetch(connection, int, _EXPIRE_FINISHED, keep_hours=keep_hours, rows_max=rows_max)
    return found[0]


async def expire_quota_buckets(connection: Connection, rows_max: int) -> int:
    """Delete up to `rows_max` quota buckets that are full, as they would be without a row."""
    return (await fetch(connection, int, _EXPIRE_BUCKETS, rows_max=rows_max))[0]
