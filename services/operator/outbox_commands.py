"""`orderly outbox`: how far the outbox is published, and what to do after a restore."""

from collections.abc import Mapping
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console

from libs.foundation.messaging.relay.requests import OWNER
from libs.foundation.messaging.status.outbox import (
    OutboxStatus,
    ReanchorPreview,
    measure_outbox,
    preview_reanchor,
)
from libs.foundation.messaging.status.relay import RelayStatus, relay_status
from services.operator import output
from services.operator.ask_options import PatientOptions
from services.operator.connection import connected
from services.operator.relay_commands import hand_over
from services.operator.requests import EXIT_FINISHED, EXIT_REFUSED, Wish, ask_and_wait
from services.operator.settings import DatabaseAccess, load_access

_DEFAULTS: Final = PatientOptions()


class OutboxCommands:
    """Reads what every operator may read; changes are asked of the active relay."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def status(self, *, json: Annotated[bool, Parameter(negative="")] = False) -> int:
        """Show what is not published, how old it is and when it will be; 1 without a cursor."""
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            status = await measure_outbox(connection)
            relay = await relay_status(connection)
        if status is None:
            self._console.print("the outbox has no cursor. Remedy: orderly outbox reanchor")
            return EXIT_REFUSED
        if json:
            output.as_json(status)
        else:
            self._show(status, relay)
        return EXIT_FINISHED

    async def reanchor(
        self, *, asking: Annotated[PatientOptions, Parameter(name="*")] = _DEFAULTS
    ) -> int:
        """After a restore: append what is unpublished anew, and begin a new cursor.

        Without --reason only say what would be appended.
        """
        access = load_access(DatabaseAccess, self._environ)
        asker = asking.asker()
        async with connected(access) as connection:
            found = await preview_reanchor(connection)
            if asker is None and asking.json:
                output.as_json(found)
            else:
                self._show_reanchor(found)
            if asker is None:
                return EXIT_FINISHED
            wish = Wish(owner=OWNER, verb="reanchor", reason=asker.reason, by=asker.requested_by)
            return await ask_and_wait(connection, wish, wait_s=asking.wait_s, console=self._console)

    async def handover(self, *, reason: str, by: str | None = None, wait_s: float = 15.0) -> int:
        """Make the active relay give its lease to the standby: `orderly relay handover`."""
        return await hand_over(self._environ, self._console, reason=reason, by=by, wait_s=wait_s)

    def _show(self, status: OutboxStatus, relay: RelayStatus) -> None:
        state = "active" if relay.is_held else "nobody holds the lease"
        self._console.print(f"relay: {relay.holder}, epoch {relay.epoch}, {state}")
        more = "" if status.is_complete else f" counted, about {status.estimated_rows} in all"
        self._console.print(
            f"unpublished: {status.rows} rows{more}, {output.size(status.bytes)},"
            f" the oldest {status.oldest_s:.1f} s old"
        )
        self._console.print(
            f"published {output.rate(status.published_per_s)},"
            f" appended {output.rate(status.appended_per_s)},"
            f" through in {output.seconds(status.drain_s)}"
        )
        if status.held_back_keys:
            self._console.print(f"held back: {status.held_back_keys} keys, see orderly parked list")
        output.table(
            self._console,
            ("topic", "rows", "bytes"),
            [(each.topic, str(each.rows), output.size(each.bytes)) for each in status.topics],
        )

    def _show_reanchor(self, found: ReanchorPreview) -> None:
        if not found.needed:
            self._console.print(f"dry run: not needed: {found.why}")
            return
        more = "" if found.is_complete else " or more"
        self._console.print(f"dry run: {found.why}")
        self._console.print(
            f"dry run: {found.rows}{more} rows would be appended anew and published; the old"
            " partitions would be put aside"
        )
