"""Settings, roles, sessions and tables of the server, as every login may see them."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class ServerSettings(Struct, frozen=True, kw_only=True):
    """What the durability of an answer and the work of the outbox hang on."""

    version: int
    in_recovery: bool
    fsync: str
    full_page_writes: str
    synchronous_commit: str
    wal_level: str
    autovacuum: str
    track_counts: str
    default_transaction_isolation: str
    max_connections: int
    connections: int
    database_now: datetime


class Role(Struct, frozen=True, kw_only=True):
    """A login and what is set for it, everywhere or in this database."""

    name: str
    is_superuser: bool
    settings: list[str]


class TableHealth(Struct, frozen=True, kw_only=True):
    """A table that autovacuum leaves alone, or cannot keep up with."""

    name: str
    is_left_out: bool
    live_rows: int
    dead_rows: int


class Horizon(Struct, frozen=True, kw_only=True):
    """What keeps old row versions; `since` is when its snapshot was taken, as far as known."""

    kind: str
    pid: int | None
    name: str
    age_transactions: int
    since: datetime | None
    age_s: float | None


class Prepared(Struct, frozen=True, kw_only=True):
    """A transaction that was prepared and never ended."""

    gid: str
    age_s: float


_SETTINGS: Final = """
    SELECT current_setting('server_version_num')::int AS version,
        pg_is_in_recovery() AS in_recovery, current_setting('fsync') AS fsync,
        current_setting('full_page_writes') AS full_page_writes,
        current_setting('synchronous_commit') AS synchronous_commit,
        current_setting('wal_level') AS wal_level, current_setting('autovacuum') AS autovacuum,
        current_setting('track_counts') AS track_counts,
        current_setting('default_transaction_isolation') AS default_transaction_isolation,
        current_setting('max_connections')::int AS max_connections,
        (SELECT sum(numbackends) FROM pg_stat_database)::int AS connections,
        clock_timestamp() AS database_now"""

_ROLES: Final = """
    SELECT r.rolname::text AS name, r.rolsuper AS is_superuser, coalesce((
        SELECT array_agg(setting) FROM pg_db_role_setting AS s, unnest(s.setconfig) AS setting
        WHERE s.setrole = r.oid AND s.setdatabase IN (0, (
            SELECT oid FROM pg_database WHERE datname = current_database()))), '{}') AS settings
    FROM pg_roles AS r WHERE r.rolname = ANY (%(names)b::text[]) AND r.rolcanlogin
    ORDER BY 1"""

_TABLES: Final = """
    SELECT c.oid::regclass::text AS name,
        coalesce(c.reloptions @> ARRAY['autovacuum_enabled=false'], false)
            OR coalesce(c.reloptions @> ARRAY['autovacuum_enabled=off'], false) AS is_left_out,
        coalesce(s.n_live_tup, 0) AS live_rows, coalesce(s.n_dead_tup, 0) AS dead_rows
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
    WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema$)'
        AND (c.reloptions && ARRAY['autovacuum_enabled=false', 'autovacuum_enabled=off']
            OR (s.n_dead_tup > %(dead_rows_min)s AND s.n_dead_tup > s.n_live_tup))
    ORDER BY s.n_dead_tup DESC NULLS LAST LIMIT 20"""

# The start of another role's transaction is hidden from most, its horizon is not: the first row
# of the outbox that it cannot see tells when the snapshot was taken, at the latest.
_HORIZONS: Final = """
    WITH holder AS (
        SELECT 'session' AS kind, pid, coalesce(application_name, '') AS name,
            age(coalesce(backend_xmin, backend_xid)) AS age_transactions, xact_start
        FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND coalesce(backend_xmin, backend_xid) IS NOT NULL
            AND backend_type IS DISTINCT FROM 'autovacuum worker'
        UNION ALL
        SELECT 'replication slot', active_pid, slot_name::text,
            greatest(age(xmin), age(catalog_xmin)), NULL
        FROM pg_replication_slots WHERE coalesce(xmin, catalog_xmin) IS NOT NULL
        UNION ALL
        SELECT 'prepared transaction', NULL, gid, age(transaction), prepared FROM pg_prepared_xacts
        ORDER BY age_transactions DESC LIMIT 3),
    dated AS (
        SELECT h.*, coalesce(h.xact_start, (
            SELECT o.written_at FROM messaging.outbox AS o
            WHERE o.tid >= (greatest(pg_snapshot_xmax(pg_current_snapshot())::text::bigint
                - h.age_transactions, 0))::text::xid8
            ORDER BY o.tid LIMIT 1)) AS since
        FROM holder AS h)
    SELECT kind, pid, name, age_transactions, since,
        date_part('epoch', clock_timestamp() - since) AS age_s
    FROM dated ORDER BY age_transactions DESC"""

_PREPARED: Final = """
    SELECT gid, date_part('epoch', clock_timestamp() - prepared) AS age_s
    FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared"""


async def settings(connection: Connection) -> ServerSettings:
    """Read the settings as this session has them."""
    return (await fetch(connection, ServerSettings, _SETTINGS))[0]


async def roles(connection: Connection, names: list[str]) -> list[Role]:
    """Return those of the roles that exist and may log in."""
    return await fetch(connection, Role, _ROLES, names=names)


async def tables(connection: Connection, dead_rows_min: int) -> list[TableHealth]:
    """Return the tables whose dead rows nobody removes, the worst first."""
    return await fetch(connection, TableHealth, _TABLES, dead_rows_min=dead_rows_min)


async def horizons(connection: Connection) -> list[Horizon]:
    """Return who holds back the removal of old row versions, the oldest first."""
    return await fetch(connection, Horizon, _HORIZONS)


async def prepared(connection: Connection) -> list[Prepared]:
    """Return the prepared transactions of this database, the oldest first."""
    return await fetch(connection, Prepared, _PREPARED)
