"""Tells a message that can never be handled from an environment that is not well."""

import re
from enum import StrEnum
from typing import Final

import msgspec
import psycopg

from libs.foundation.database.failures import is_data, is_environment
from libs.foundation.errors import AppError
from libs.foundation.messaging.inbox import InboxWindowMoved
from libs.foundation.messaging.storable import storable

# Cancelled statement, transaction timeout, lock timeout: less work at once may pass.
_TOO_SLOW: Final = frozenset({"57014", "25P04", "55P03"})
# Violated constraints and the environment: what PostgreSQL quotes is a name, not a value.
_NAMES_ONLY: Final = ("08", "0A", "23", "25", "40", "42", "53", "55", "57")
_QUOTED: Final = re.compile(r'"[^"]*"')
# msgspec quotes a bad value so, and names of fields otherwise.
_BAD_VALUE: Final = re.compile(r"'[^']*'")


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
    """Describe `error` for people, without what it failed on: that is somebody's data.

    A refusal of ours and the environment's errors are written for people. PostgreSQL quotes bad
    values, and whatever an unforeseen exception says may hold them: of these the kind remains.
    """
    if isinstance(error, psycopg.Error) and error.diag.message_primary is not None:
        text = error.diag.message_primary
        return storable(_QUOTED.sub(r'"..."', text) if _is_about_a_value(error) else text)
    name = type(error).__name__
    if isinstance(error, msgspec.MsgspecError):
        return f"{name}: {decoding_text(error)}"
    if isinstance(error, AppError) or judge(error) is Verdict.ENVIRONMENT:
        return storable(f"{name}: {error}")
    return name


def decoding_text(error: BaseException) -> str:
    """Say why something cannot be read: what is wrong and where, not what stands there."""
    return storable(_BAD_VALUE.sub("'...'", str(error)))


def _is_about_a_value(error: psycopg.Error) -> bool:
    return error.sqlstate is None or not error.sqlstate.startswith(_NAMES_ONLY)
