"""The ledger's tables and statements, in SQLite, called from one thread only."""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from services.payment_simulator.messages import LedgerItem

# WAL with FULL makes each commit durable by one sync of the log.
_OPEN: Final = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA busy_timeout = 5000;
    CREATE TABLE IF NOT EXISTS operations (
        key TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        request_hash BLOB NOT NULL,
        answer BLOB NOT NULL,
        executed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS authorisations (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        key TEXT NOT NULL UNIQUE,
        order_id TEXT NOT NULL,
        external_reference TEXT,
        amount INTEGER NOT NULL,
        currency TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('authorised', 'declined', 'released')),
        decline_code TEXT,
        released INTEGER NOT NULL DEFAULT 0,
        release_key TEXT
    );"""
_BEGIN: Final = "BEGIN IMMEDIATE"
_FIND_OPERATION: Final = "SELECT request_hash, answer FROM operations WHERE key = ?"
_ADD_OPERATION: Final = """
    INSERT INTO operations (key, kind, request_hash, answer) VALUES (?, ?, ?, ?)"""
_ADD_AUTHORISATION: Final = """
    INSERT INTO authorisations (id, key, order_id, external_reference, amount, currency, status,
        decline_code)
    VALUES (:id, :key, :order_id, :external_reference, :amount, :currency, :status,
        :decline_code)"""
_FIND_AUTHORISATION: Final = """
    SELECT id, amount, currency, status FROM authorisations WHERE id = ?"""
_RELEASE: Final = """
    UPDATE authorisations SET status = 'released', released = amount, release_key = ?
    WHERE id = ?"""
_PAGE: Final = """
    SELECT sequence, id, key, order_id, amount, currency, status, status = 'authorised' AS live,
        decline_code, released, release_key
    FROM authorisations WHERE sequence > ? ORDER BY sequence LIMIT ?"""


class StoredOperation(Struct, frozen=True):
    """A key that was used, by which request, and the answer it got."""

    request_hash: bytes
    answer: bytes


class NewAuthorisation(Struct, frozen=True, kw_only=True):
    """A row of `authorisations`."""

    id: str
    key: str
    order_id: str
    external_reference: str | None
    amount: int
    currency: str
    status: str
    decline_code: str | None


class StoredAuthorisation(Struct, frozen=True, kw_only=True):
    """What a release has to know of its authorisation."""

    id: str
    amount: int
    currency: str
    status: str


def open_ledger(path: str) -> sqlite3.Connection:
    """Open the file, and make its tables when they do not exist."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.executescript(_OPEN)
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """Commit durably at the end of the block, or undo all of it."""
    connection.execute(_BEGIN)
    with connection:
        yield


def find_operation(connection: sqlite3.Connection, key: UUID) -> StoredOperation | None:
    row = connection.execute(_FIND_OPERATION, (str(key),)).fetchone()
    return None if row is None else StoredOperation(row["request_hash"], row["answer"])


def add_operation(
    connection: sqlite3.Connection, key: UUID, kind: str, operation: StoredOperation
) -> None:
    row = (str(key), kind, operation.request_hash, operation.answer)
    connection.execute(_ADD_OPERATION, row)


def add_authorisation(connection: sqlite3.Connection, new: NewAuthorisation) -> None:
    connection.execute(_ADD_AUTHORISATION, msgspec.to_builtins(new))


def find_authorisation(connection: sqlite3.Connection, id_: str) -> StoredAuthorisation | None:
    row = connection.execute(_FIND_AUTHORISATION, (id_,)).fetchone()
    return None if row is None else msgspec.convert(dict(row), StoredAuthorisation)


def release(connection: sqlite3.Connection, id_: str, key: UUID) -> None:
    connection.execute(_RELEASE, (str(key), id_))


def page(connection: sqlite3.Connection, after: int, items_max: int) -> list[LedgerItem]:
    rows: Sequence[Any] = connection.execute(_PAGE, (after, items_max)).fetchall()
    return msgspec.convert([dict(row) for row in rows], list[LedgerItem], strict=False)
