"""Tells a bad statement from a bad environment by SQLSTATE class."""

from typing import Final

import psycopg
from psycopg.errors import CheckViolation
from psycopg_pool import PoolTimeout, TooManyRequests

# Connection lost, a cached plan overtaken by a migration, a transaction ended by the server,
# rollback for serialisation or deadlock, missing object or right, out of resources, object in
# use, operator intervention: the same statement may pass later.
_ENVIRONMENT_CLASSES: Final = frozenset({"08", "0A", "25", "40", "42", "53", "55", "57"})
# Data that no retry makes valid: a bad value, a violated constraint.
_DATA_CLASSES: Final = frozenset({"22", "23"})
# The server ended the session: administrator's command, crash of another session, starting up.
_SESSION_ENDED: Final = frozenset({"57P01", "57P02", "57P03"})


def is_environment(error: BaseException) -> bool:
    """Say whether `error` is the database's state and not the statement's data."""
    if isinstance(error, PoolTimeout | TooManyRequests):
        return True
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate[:2] in _ENVIRONMENT_CLASSES or _lacks_partition(error)


def is_data(error: BaseException) -> bool:
    """Say whether `error` names a value or constraint that no retry can change."""
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        # psycopg refuses some values (NUL in text) before the server sees them.
        return isinstance(error, psycopg.DataError)
    return error.sqlstate[:2] in _DATA_CLASSES and not _lacks_partition(error)


def _lacks_partition(error: psycopg.Error) -> bool:
    """Say whether a row found no partition, which somebody has yet to make.

    PostgreSQL reports it as a violated check of that table, but of no constraint.
    """
    return (
        isinstance(error, CheckViolation)
        and error.diag.table_name is not None
        and error.diag.constraint_name is None
    )


def is_connection_lost(error: BaseException) -> bool:
    """Say whether the connection died, so that a COMMIT in flight may or may not have passed."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    state = error.sqlstate
    return state is None or state.startswith("08") or state in _SESSION_ENDED


def facts(error: BaseException) -> dict[str, str | None]:
    """Return what a log may say of an error of the database.

    Its message may not be logged: PostgreSQL quotes the failing row, which is somebody's data.
    """
    about: dict[str, str | None] = {"error": type(error).__qualname__}
    if isinstance(error, psycopg.Error):
        about |= {
            "sqlstate": error.sqlstate,
            "table": error.diag.table_name,
            "constraint": error.diag.constraint_name,
        }
    return about
