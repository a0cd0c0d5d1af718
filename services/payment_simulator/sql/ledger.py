"""The ledger's tables and statements, in SQLite, called from one thread only."""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from services.payment_simulator.messages import LedgerItem, ObjectItem

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
        captured INTEGER NOT NULL DEFAULT 0,
        released INTEGER NOT NULL DEFAULT 0,
        refunded INTEGER NOT NULL DEFAULT 0,
        release_key TEXT
    );
    CREATE TABLE IF NOT EXISTS objects (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        key TEXT NOT NULL UNIQUE,
        authorisation_id TEXT NOT NULL,
        amount INTEGER NOT NULL,
        currency TEXT NOT NULL,
        status TEXT NOT NULL,
        created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    );"""
# A file of an earlier release has no columns for what it could not do.
_COLUMNS: Final = "SELECT name FROM pragma_table_info('authorisations')"
_ADDED: Final = {
    "captured": "ALTER TABLE authorisations ADD COLUMN captured INTEGER NOT NULL DEFAULT 0",
    "refunded": "ALTER TABLE authorisations ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0",
}
_ADD_OLD_OBJECTS: Final = """
    INSERT INTO objects (id, kind, key, authorisation_id, amount, currency, status)
    SELECT id, 'authorise', key, id, amount, currency,
        CASE WHEN status = 'declined' THEN 'declined' ELSE 'succeeded' END
    FROM authorisations ORDER BY sequence"""
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
    SELECT id, amount, currency, status, captured, released, refunded
    FROM authorisations WHERE id = ?"""
_ADD_OBJECT: Final = """
    INSERT INTO objects (id, kind, key, authorisation_id, amount, currency, status)
    VALUES (:id, :kind, :key, :authorisation_id, :amount, :currency, :status)"""
_CAPTURE: Final = "UPDATE authorisations SET captured = captured + ? WHERE id = ?"
_REFUND: Final = "UPDATE authorisations SET refunded = refunded + ? WHERE id = ?"
_RELEASE: Final = """
    UPDATE authorisations
    SET status = 'released', released = amount - captured, release_key = ?
    WHERE id = ?"""
_PAGE: Final = """
    SELECT sequence, id, key, order_id, amount, currency,
        CASE WHEN status = 'authorised' AND captured = amount THEN 'captured' ELSE status END
            AS status,
        status = 'authorised' AND captured < amount AS live,
        decline_code, captured, released, refunded, release_key
    FROM authorisations WHERE sequence > ? ORDER BY sequence LIMIT ?"""
_OBJECTS: Final = """
    SELECT o.sequence, o.id, o.kind, o.key, o.authorisation_id, a.order_id AS order_reference,
        o.amount, o.currency, o.status, o.created_at, coalesce(a.captured, 0) AS captured,
        coalesce(a.released, 0) AS released, coalesce(a.refunded, 0) AS refunded
    FROM objects AS o LEFT JOIN authorisations AS a ON a.id = o.authorisation_id
    WHERE o.sequence > ? AND o.created_at >= ? ORDER BY o.sequence LIMIT ?"""


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
    """What an operation has to know of its authorisation."""

    id: str
    amount: int
    currency: str
    status: str
    captured: int
    released: int
    refunded: int

    @property
    def open(self) -> int:
        """What is held."""
        return self.amount - self.captured - self.released if self.status == "authorised" else 0


class NewObject(Struct, frozen=True, kw_only=True):
    """A row of `objects`: an authorisation, capture or refund that was asked for."""

    id: str
    kind: str
    key: str
    authorisation_id: str
    amount: int
    currency: str
    status: str


def open_ledger(path: str) -> sqlite3.Connection:
    """Open the file, and make its tables when they do not exist."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.executescript(_OPEN)
    present = {row["name"] for row in connection.execute(_COLUMNS)}
    missing = [statement for name, statement in _ADDED.items() if name not in present]
    if missing:
        with transaction(connection):
            for statement in (*missing, _ADD_OLD_OBJECTS):
                connection.execute(statement)
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


def add_object(connection: sqlite3.Connection, new: NewObject) -> None:
    connection.execute(_ADD_OBJECT, msgspec.to_builtins(new))


def capture(connection: sqlite3.Connection, id_: str, amount: int) -> None:
    connection.execute(_CAPTURE, (amount, id_))


def refund(connection: sqlite3.Connection, id_: str, amount: int) -> None:
    connection.execute(_REFUND, (amount, id_))


def release(connection: sqlite3.Connection, id_: str, key: UUID) -> None:
    connection.execute(_RELEASE, (str(key), id_))


def page(connection: sqlite3.Connection, after: int, items_max: int) -> list[LedgerItem]:
    rows: Sequence[Any] = connection.execute(_PAGE, (after, items_max)).fetchall()
    return msgspec.convert([dict(row) for row in rows], list[LedgerItem], strict=False)


def objects(
    connection: sqlite3.Connection, after: int, since: str, items_max: int
) -> list[ObjectItem]:
    rows: Sequence[Any] = connection.execute(_OBJECTS, (after, since, items_max)).fetchall()
    return msgspec.convert([dict(row) for row in rows], list[ObjectItem], strict=False)
