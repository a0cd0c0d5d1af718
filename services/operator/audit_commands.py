"""`orderly audit`: who asked for what, why, and what came of it."""

from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID

from cyclopts import Parameter
from rich.console import Console

from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.quarantine import asking, audit
from libs.foundation.messaging.sql.operator_audit import AuditNarrowing
from services.operator import output, parked_tables
from services.operator.connection import connected
from services.operator.requests import EXIT_FINISHED, EXIT_REFUSED
from services.operator.settings import DatabaseAccess, load_access

_LISTED_MAX: Final = 50


class AuditCommands:
    """Every request of an operator is a row that nobody can change or delete by a command."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def list(
        self,
        *,
        owner: str | None = None,
        verb: str | None = None,
        by: str | None = None,
        topic: str | None = None,
        key: str | None = None,
        limit: int = _LISTED_MAX,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Show what was asked for, the newest first."""
        narrowing = AuditNarrowing(owner=owner, verb=verb, by=by, topic=topic, key=key)
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection, transaction(connection) as tx:
            found = await audit.list_requests(tx, narrowing, limit)
        if json:
            output.as_json(found)
        else:
            parked_tables.requests(self._console, found.requests)
        return EXIT_FINISHED

    async def show(
        self,
        request: UUID,
        *,
        limit: int = asking.KEYS_MAX,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> int:
        """Show one request and what came of each of its keys."""
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection, transaction(connection) as tx:
            found = await asking.outcome(tx, request, limit)
        if found is None:
            self._console.print(f"refused: there is no request {request}")
            return EXIT_REFUSED
        if json:
            output.as_json(found)
        else:
            parked_tables.requests(self._console, [found.request])
            parked_tables.outcome(self._console, found)
        return EXIT_FINISHED
