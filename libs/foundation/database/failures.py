"""Tells a bad statement from a bad environment by SQLSTATE class."""

from typing import Final

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests

# Connection lost, rollback for serialisation or deadlock, missing object or right, out of
# resources, object in use, operator intervention: the same statement may pass later.
_ENVIRONMENT_CLASSES: Final = frozenset({"08", "25", "40", "42", "53", "55", "57"})
# Data that no retry makes valid: a bad value, a violated constraint.
_DATA_CLASSES: Final = frozenset({"22", "23"})


def is_environment(error: BaseException) -> bool:
    """Say whether `error` is the database's state and not the statement's data."""
    if isinstance(error, PoolTimeout | TooManyRequests):
        return True
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate[:2] in _ENVIRONMENT_CLASSES


def is_data(error: BaseException) -> bool:
    """Say whether `error` names a value or constraint that no retry can change."""
    if not isinstance(error, psycopg.Error):
        return False
    if error.sqlstate is None:
        # psycopg refuses some values (NUL in text) before the server sees them.
        return isinstance(error, psycopg.DataError)
    return error.sqlstate[:2] in _DATA_CLASSES
