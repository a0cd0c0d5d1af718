"""The connection of a command, opened only on a schema that this release understands."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.database.schema import check_schema
from services.operator.settings import DatabaseAccess


@asynccontextmanager
async def connected(access: DatabaseAccess) -> AsyncGenerator[Connection]:
    """Connect; raises CodeOutdated or SchemaOutdated rather than act on what it misreads."""
    async with open_connection(access.database, "orderly") as connection:
        await check_schema(connection)
        yield connection
