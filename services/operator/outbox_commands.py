"""`orderly outbox`: how far the outbox is published, and requests to the relay."""

from collections.abc import Mapping
from typing import Final

from rich.console import Console

from libs.foundation.messaging.relay.requests import OWNER
from libs.foundation.messaging.sql import outbox_cursor, outbox_windows
from services.operator.connection import connected
from services.operator.requests import Wish, ask_and_wait
from services.operator.settings import DatabaseAccess, load_access
from services.operator.sql import leases

_COUNTED_ROWS_MAX: Final = 100_000


class OutboxCommands:
    """Reads what every operator may read; changes are asked of the active relay."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def status(self) -> int:
        """Show who relays, and what is not published yet; ends with 1 without a cursor."""
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            cursor = await outbox_cursor.latest(connection)
            if cursor is None:
                self._console.print("the outbox has no cursor. Remedy: orderly outbox reanchor")
                return 1
            lease = await leases.outbox_lease(connection)
            backlog = await outbox_windows.backlog(
                connection, cursor.prev, cursor.cur, cursor.last_seq, rows_max=_COUNTED_ROWS_MAX
            )
        more = "or more " if backlog.rows == _COUNTED_ROWS_MAX else ""
        state = "active" if lease.is_held else "nobody holds the lease"
        self._console.print(f"relay: {lease.holder}, epoch {lease.epoch}, {state}")
        self._console.print(f"cursor: epoch {cursor.epoch}, window {cursor.n}")
        self._console.print(
            f"unpublished: {backlog.rows} {more}rows, the oldest {backlog.oldest_s:.1f} s old"
        )
        return 0

    async def reanchor(self, *, reason: str, by: str | None = None, wait_s: float = 60.0) -> int:
        """After a restore: append what is unpublished anew, and begin a new cursor."""
        return await self._ask(Wish(owner=OWNER, verb="reanchor", reason=reason, by=by), wait_s)

    async def handover(self, *, reason: str, by: str | None = None, wait_s: float = 15.0) -> int:
        """Make the active relay give its lease to the standby."""
        return await self._ask(Wish(owner=OWNER, verb="handover", reason=reason, by=by), wait_s)

    async def _ask(self, wish: Wish, wait_s: float) -> int:
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            return await ask_and_wait(connection, wish, wait_s=wait_s, console=self._console)
