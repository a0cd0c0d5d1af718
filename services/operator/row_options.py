"""Which rows of the outbox a command is about, and how such a request is waited for."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from cyclopts import Parameter
from rich.console import Console

from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Connection
from libs.foundation.messaging.replay.selection import Selection
from libs.foundation.messaging.sql import row_requests
from libs.foundation.messaging.sql.row_requests import Listed
from services.operator import output
from services.operator.ask_options import AskOptions
from services.operator.moments import moment
from services.operator.requests import EXIT_FINISHED, EXIT_REFUSED, EXIT_WAITING

_LOOK_S: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class RowOptions:
    """Which rows: each option narrows the choice; several values of one widen it."""

    topic: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    key: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    type: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    since: str | None = None
    """A time (2026-11-23T08:00Z) or an age (90m); the oldest row the outbox keeps if not given."""
    until: str | None = None
    """The same; now if not given."""

    def selection(self) -> Selection:
        """Return the choice; raises ValueError over a time that cannot be read."""
        now = utc_now()
        return Selection(
            since=None if self.since is None else moment(self.since, now),
            until=None if self.until is None else moment(self.until, now),
            topics=self.topic,
            keys=self.key,
            types=self.type,
        )


async def wait_for(
    connection: Connection, request_id: UUID, options: AskOptions, console: Console
) -> int:
    """Wait for the outcome of a request, show it, and return the exit code."""
    try:
        async with asyncio.timeout(options.wait_s):
            request = await _finished(connection, request_id)
    except TimeoutError:
        request = await row_requests.about(connection, request_id)
    if request is None:
        console.print(f"no request {request_id} about rows of the outbox")
        return EXIT_REFUSED
    if options.json:
        output.as_json(request)
    else:
        console.print(f"request {request.id}: {request.verb}: {request.outcome or 'not begun'}")
    return exit_code_of(request)


def exit_code_of(request: Listed) -> int:
    """Return 0 when a request is done, 1 when refused or stopped, 3 while it is open."""
    if request.finished_at is None:
        return EXIT_WAITING
    refused = (request.outcome or "").startswith(("refused", "stopped"))
    return EXIT_REFUSED if refused else EXIT_FINISHED


async def _finished(connection: Connection, request_id: UUID) -> Listed | None:
    while True:
        request = await row_requests.about(connection, request_id)
        if request is None or request.finished_at is not None:
            return request
        await asyncio.sleep(_LOOK_S)
