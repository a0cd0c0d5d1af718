"""The partitioned tables of the database: what their partitions cover, and how large they are."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class PartitionRow(Struct, frozen=True, kw_only=True):
    """One partition; its bounds are text as the catalogue shows them, none for a default one."""

    parent: str
    name: str
    lower: str | None
    upper: str | None
    bytes: int


class Detached(Struct, frozen=True, kw_only=True):
    """A former partition that a reanchor has put aside."""

    name: str
    bytes: int


# Every partitioned table a role may see; a bound reads FOR VALUES FROM ('...') TO ('...').
_PARTITIONS: Final = """
    SELECT parent.oid::regclass::text AS parent, child.relname::text AS name,
        bound.found[1] AS lower, bound.found[2] AS upper,
        pg_total_relation_size(child.oid) AS bytes
    FROM pg_class AS parent
    JOIN pg_namespace AS space ON space.oid = parent.relnamespace
    LEFT JOIN pg_inherits AS i ON i.inhparent = parent.oid
    LEFT JOIN pg_class AS child ON child.oid = i.inhrelid
    CROSS JOIN LATERAL (
        SELECT regexp_match(pg_get_expr(child.relpartbound, child.oid),
            'FROM \\(''(.+)''\\) TO \\(''(.+)''\\)') AS found) AS bound
    WHERE parent.relkind = 'p' AND child.oid IS NOT NULL
        AND space.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1, 2"""

_PARENTS: Final = """
    SELECT parent.oid::regclass::text FROM pg_class AS parent
    JOIN pg_namespace AS space ON space.oid = parent.relnamespace
    WHERE parent.relkind = 'p' AND space.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1"""

_DETACHED: Final = """
    SELECT c.oid::regclass::text AS name, pg_total_relation_size(c.oid) AS bytes
    FROM pg_class AS c
    WHERE c.relnamespace = 'messaging'::regnamespace AND c.relkind = 'r'
        AND NOT c.relispartition AND c.relname ~ '^outbox_[0-9t]+_until_[0-9]+$'
    ORDER BY 1"""

_NOW: Final = "SELECT now()"


async def parents(connection: Connection) -> list[str]:
    """Return the partitioned tables."""
    return await fetch(connection, str, _PARENTS)


async def partitions(connection: Connection) -> list[PartitionRow]:
    """Return every partition, by its table and its name."""
    return await fetch(connection, PartitionRow, _PARTITIONS)


async def detached(connection: Connection) -> list[Detached]:
    """Return what a reanchor has put aside and nobody has dropped."""
    return await fetch(connection, Detached, _DETACHED)


async def now(connection: Connection) -> datetime:
    """Return the time by the clock that decides which partition a row goes to."""
    return (await fetch(connection, datetime, _NOW))[0]
