"""Tells a message that can never be handled from an environment that is not well."""

from enum import StrEnum
from typing import Final

import psycopg

from libs.foundation.database.failures import is_data, is_environment
from libs.foundation.errors import AppError
from libs.foundation.messaging.inbox import InboxWindowMoved
from libs.foundation.messaging.storable import storable

# Cancelled statement, transaction timeout, lock timeout: less work at once may pass.
_TOO_SLOW: Final = frozenset({"57014", "25P04", "55P03"})


class Verdict(StrEnum):
    """What an error says about the messages it hit."""

    ENVIRONMENT = "environment"  # Nothing: wait and try again, for ever.
    POISON = "poison"  # One of them cannot be handled, now or later.
    UNEXPLAINED = "unexplained"  # Poison, if the message fails alone while others pass.


def judge(error: Exception) -> Verdict:
    """Return the verdict on what a wave raised."""
    if isinstance(error, InboxWindowMoved | TimeoutError | OSError) or is_environment(error):
        return Verdict.ENVIRONMENT
    if isinstance(error, AppError) or is_data(error):
        return Verdict.POISON
    return Verdict.UNEXPLAINED


def is_too_slow(error: Exception) -> bool:
    """Say whether fewer messages at once could have passed; the server's clock must say so."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _TOO_SLOW


def error_code(error: Exception) -> str:
    """Return one stable word: our own code, the SQLSTATE, or the class."""
    if isinstance(error, AppError):
        return error.code
    if isinstance(error, psycopg.Error) and error.sqlstate is not None:
        return error.sqlstate
    return type(error).__name__


def error_text(error: Exception) -> str:
    """Describe `error` for people, without the values PostgreSQL quotes in its details."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary is not None:
        return storable(error.diag.message_primary)
    return storable(f"{type(error).__name__}: {error}")
