"""A transaction is a value: who holds one may write, and only the edge that opened it commits."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import LiteralString, TypeVar, overload

import msgspec
from psycopg import AsyncConnection

from libs.foundation.database.connections import Connection, Pool

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Locked(Sequence[T_co]):
    """Rows whose locks this transaction holds; only `sql/` modules make one.

    `outbox.append` asks for it, because a sequence number drawn before the lock is held puts
    the events of one aggregate in the wrong order.
    """

    def __init__(self, rows: Sequence[T_co]) -> None:
        self._rows = rows

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | Sequence[T_co]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[T_co]:
        return iter(self._rows)


class Transaction:
    """Statements inside one open transaction; parameters are named, SQL is a literal."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, row_type: type[T], sql: LiteralString, **params: object) -> list[T]:
        """Return every row as `row_type`: a Struct by column name, else the first column."""
        return await fetch(self._connection, row_type, sql, **params)

    async def fetch_one(self, row_type: type[T], sql: LiteralString, **params: object) -> T | None:
        """Return the first row as `row_type`, or None when there is none."""
        rows = await fetch(self._connection, row_type, sql, **params)
        return rows[0] if rows else None

    async def execute(self, sql: LiteralString, **params: object) -> int:
        """Run a statement and return the number of rows it touched."""
        cursor = self._connection.cursor(binary=True)
        await cursor.execute(sql, params)
        return cursor.rowcount


async def fetch(
    connection: Connection, row_type: type[T], sql: LiteralString, **params: object
) -> list[T]:
    """Run a query on an autocommit connection and validate each row into `row_type`."""
    cursor = connection.cursor(binary=True)
    await cursor.execute(sql, params)
    rows = await cursor.fetchall()
    if issubclass(row_type, msgspec.Struct):
        names = [column.name for column in cursor.description or ()]
        named = [dict(zip(names, row, strict=True)) for row in rows]
        return msgspec.convert(named, list[row_type])
    return msgspec.convert([row[0] for row in rows], list[row_type])


@asynccontextmanager
async def transaction(source: Pool | Connection) -> AsyncGenerator[Transaction]:
    """Open a transaction; commit at the end of the block, roll back if it raises."""
    if isinstance(source, AsyncConnection):
        async with source.transaction():
            yield Transaction(source)
        return
    async with source.connection() as connection, connection.transaction():
        yield Transaction(connection)
