"""`orderly relay`: who relays, who stands by, and letting another one take over."""

from collections.abc import Mapping
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from libs.foundation.messaging.relay.requests import OWNER
from libs.foundation.messaging.status.relay import RelayStatus, relay_status
from services.operator import output
from services.operator.connection import connected
from services.operator.requests import EXIT_FINISHED, EXIT_REFUSED, Wish, ask_and_wait
from services.operator.settings import DatabaseAccess, load_access

EXIT_A_PERSON_MUST_ACT: Final = 78


class RelayCommands:
    """One relay leads by a lease in the database; the others wait for it."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def status(self, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
        """Show the lease and the cursor; 1 when nobody leads, 78 when nobody can."""
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            status = await relay_status(connection)
        if json:
            output.as_json(status)
        else:
            self._show(status)
        if status.problem is not None:
            return EXIT_A_PERSON_MUST_ACT
        return EXIT_FINISHED if status.is_held else EXIT_REFUSED

    async def handover(self, *, reason: str, by: str | None = None, wait_s: float = 15.0) -> int:
        """Make the active relay give its lease to the standby."""
        return await hand_over(self._environ, self._console, reason=reason, by=by, wait_s=wait_s)

    def _show(self, status: RelayStatus) -> None:
        state = "active" if status.is_held else "nobody holds the lease"
        self._console.print(f"relay: {status.holder}, epoch {status.epoch}, {state}")
        renewed = output.seconds(status.renewed_s)
        self._console.print(f"lease: renewed {renewed} ago; {status.standbys} stand by")
        if status.cursor is not None:
            at = status.cursor
            place = at.prev if at.cur is None else f"{at.prev} to {at.cur}, up to {at.last_seq}"
            self._console.print(
                f"cursor: epoch {at.epoch}, window {at.window}, moved"
                f" {output.seconds(at.moved_s)} ago, snapshot {place}, timeline {at.timeline}"
            )
        if status.problem is not None:
            self._console.print(f"{status.problem}. Remedy: {status.remedy}")


async def hand_over(
    environ: Mapping[str, str],
    console: Console,
    *,
    reason: str,
    by: str | None,
    wait_s: float,
) -> int:
    """Ask the active relay to give its lease away, and wait for it."""
    access = load_access(DatabaseAccess, environ)
    wish = Wish(owner=OWNER, verb="handover", reason=reason, by=by)
    async with connected(access) as connection:
        return await ask_and_wait(connection, wish, wait_s=wait_s, console=console)
