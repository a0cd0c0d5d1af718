"""Statements that make, stamp and drop the databases of tests."""

from typing import Any, Final

from psycopg import Cursor, sql

from deploy.local.sql.roles import Superuser

# Any number that nothing else on a server for tests uses as an advisory lock.
_MIGRATION_LOCK: Final = 7_203_114
_TAKE_MIGRATION_LOCK: Final = "SELECT pg_advisory_lock(%s)"
_RELEASE_MIGRATION_LOCK: Final = "SELECT pg_advisory_unlock(%s)"
_VERSION: Final = "SELECT current_setting('server_version_num')::int"
_VERSION_TEXT: Final = "SELECT current_setting('server_version')"
_MARK_ALIVE: Final = "SELECT pg_advisory_lock_shared(hashtext(%s))"
_TRY_DEAD: Final = "SELECT pg_try_advisory_lock(hashtext(%s))"
_RELEASE_DEAD: Final = "SELECT pg_advisory_unlock(hashtext(%s))"
_DATABASES: Final = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
_CLONE: Final = sql.SQL("CREATE DATABASE {database} TEMPLATE {template}")
_DROP: Final = sql.SQL("DROP DATABASE IF EXISTS {database} WITH (FORCE)")
_RIGHTS: Final = """
    SELECT a.grantee::regrole::text, a.privilege_type
    FROM pg_database AS d, aclexplode(d.datacl) AS a
    WHERE d.datname = %s AND a.grantee <> 0 AND a.grantee <> d.datdba"""
_CLOSE: Final = sql.SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC")
_GRANT: Final = sql.SQL("GRANT {right} ON DATABASE {database} TO {role}")
_RESTAMP: Final = """
    UPDATE messaging.outbox_cursor AS c
    SET system_identifier = s.system_identifier::text, database_oid = d.oid,
        timeline = p.timeline_id
    FROM pg_control_system() AS s, pg_control_checkpoint() AS p, pg_database AS d
    WHERE d.datname = current_database()"""


def version(server: Superuser) -> tuple[int, str]:
    """Return the version as a number (180006) and as a text (18.6)."""
    number: int = _rows(server.execute(_VERSION))[0][0]
    text: str = _rows(server.execute(_VERSION_TEXT))[0][0]
    return number, text


def take_migration_lock(server: Superuser) -> None:
    """Wait until no other run on this server migrates: roles belong to all its databases."""
    server.execute(_TAKE_MIGRATION_LOCK, (_MIGRATION_LOCK,))


def release_migration_lock(server: Superuser) -> None:
    server.execute(_RELEASE_MIGRATION_LOCK, (_MIGRATION_LOCK,))


def mark_alive(server: Superuser, run: str) -> None:
    """Hold a lock named after the run until this connection ends, however it ends."""
    server.execute(_MARK_ALIVE, (run,))


def is_dead(server: Superuser, run: str) -> bool:
    """Say whether no process of the run is connected any more."""
    dead: bool = _rows(server.execute(_TRY_DEAD, (run,)))[0][0]
    if dead:
        server.execute(_RELEASE_DEAD, (run,))
    return dead


def names(server: Superuser, prefix: str) -> list[str]:
    return [name for (name,) in _rows(server.execute(_DATABASES, (prefix,)))]


def clone(server: Superuser, template: str, database: str) -> None:
    """Copy a database and the rights on it, which PostgreSQL does not copy with it."""
    target = sql.Identifier(database)
    server.execute(_CLONE.format(database=target, template=sql.Identifier(template)))
    rights = _rows(server.execute(_RIGHTS, (template,)))
    if rights:
        server.execute(_CLOSE.format(database=target))
    for role, right in rights:
        grant = _GRANT.format(database=target, role=sql.Identifier(role), right=sql.SQL(right))
        server.execute(grant)


def drop(server: Superuser, database: str) -> None:
    server.execute(_DROP.format(database=sql.Identifier(database)))


def restamp(database: Superuser) -> None:
    """Tell the restore guard that this copy is meant: a clone is not a restored backup."""
    database.execute(_RESTAMP)


def _rows(cursor: Cursor[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return cursor.fetchall()
