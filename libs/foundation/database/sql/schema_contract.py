"""messaging.schema_contract: which code the schema serves, and how far it is migrated."""

from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class SchemaContract(Struct, frozen=True, kw_only=True):
    """The one row; both numbers are numbers of migrations."""

    oldest_code_revision: int
    schema_revision: int


_CONTRACT: Final = """
    SELECT oldest_code_revision, schema_revision FROM messaging.schema_contract"""


async def read(connection: Connection) -> SchemaContract:
    """Return the contract; a database that was never migrated raises psycopg's error."""
    return (await fetch(connection, SchemaContract, _CONTRACT))[0]
