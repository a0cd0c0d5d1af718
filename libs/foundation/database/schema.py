"""Holds a process back until the database has the schema that its code was written for."""

import asyncio
from typing import Final

import psycopg

from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.database.sql import schema_contract
from libs.foundation.observability.logs import get_logger
from libs.foundation.redaction import hide_credentials
from libs.foundation.runtime.process import CannotStart, Process
from libs.foundation.runtime.readiness import Readiness

_log: Final = get_logger(__name__)

# The number of the newest migration this code needs; a test compares the two.
CODE_REVISION: Final = 15

_LOOK_S: Final = 1.0
_CONNECTION: Final = "schema"


class CodeOutdated(CannotStart):
    """The schema has left this code behind: it would misread or miswrite what it finds."""


class SchemaOutdated(Exception):
    """The schema is not yet what this code needs."""


async def check_schema(connection: Connection, *, code_revision: int = CODE_REVISION) -> None:
    """Raise CodeOutdated or SchemaOutdated unless the schema serves this code."""
    contract = await schema_contract.read(connection)
    if code_revision < contract.oldest_code_revision:
        raise CodeOutdated(
            f"the schema serves code of revision {contract.oldest_code_revision} or newer, and"
            f" this is revision {code_revision}. Remedy: deploy a newer release"
        )
    if contract.schema_revision < code_revision:
        raise SchemaOutdated(
            f"the schema is at revision {contract.schema_revision} and this code needs"
            f" {code_revision}. Remedy: orderly migrate"
        )


async def schema_served(
    settings: DatabaseSettings,
    process: Process,
    *,
    code_revision: int = CODE_REVISION,
    look_s: float = _LOOK_S,
) -> None:
    """Return once the schema serves this code; until then the process is not ready, and says why.

    A database that does not answer, or was never migrated, is waited for like one that is being
    migrated: whoever starts everything at once starts it in any order. Raises CodeOutdated.
    """
    wait = _Wait()
    process.ready_when(wait.readiness)
    # No event of this process tells when another one has migrated.
    while not await _is_served(settings, code_revision, wait):  # noqa: ASYNC110
        await asyncio.sleep(look_s)
    wait.over()


class _Wait:
    """Why the process waits; told in the log only when the reason changes."""

    def __init__(self) -> None:
        self._reason: str | None = "the schema was not looked at yet"

    def readiness(self) -> Readiness:
        return Readiness(ready=self._reason is None, reason=self._reason or "")

    def goes_on(self, reason: str) -> None:
        if reason != self._reason:
            _log.warning("schema_awaited", reason=reason)
        self._reason = reason

    def over(self) -> None:
        self._reason = None


async def _is_served(settings: DatabaseSettings, code_revision: int, wait: _Wait) -> bool:
    try:
        async with open_connection(settings, _CONNECTION) as connection:
            await check_schema(connection, code_revision=code_revision)
    except SchemaOutdated as error:
        wait.goes_on(str(error))
    except (psycopg.Error, OSError) as error:
        first_line = hide_credentials(str(error)).partition("\n")[0]
        wait.goes_on(f"the schema cannot be read: {first_line}")
    else:
        return True
    return False
