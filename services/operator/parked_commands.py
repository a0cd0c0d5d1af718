"""`orderly parked`: shows what is parked, and asks its owner to retry or skip it."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.sql import parked
from services.operator.connection import connected
from services.operator.requests import Wish, ask_and_wait
from services.operator.settings import DatabaseAccess, load_access


class ParkedCommands:
    """Keys parked by consumers and by the outbox relay; the owner is the first column."""

    def __init__(self, environ: Mapping[str, str], console: Console) -> None:
        self._environ = environ
        self._console = console

    async def list(self, *, limit: int = 100) -> int:
        """Show the parked keys, oldest first, each with its first message."""
        access = load_access(DatabaseAccess, self._environ)
        async with (
            connected(access) as connection,
            transaction(connection) as tx,
        ):
            found = await parked.keys(tx, limit)
        table = Table("owner", "topic", "key", "messages", "age", "first type", "reason")
        now = utc_now()
        for one in found:
            age_s = int((now - one.parked_at).total_seconds())
            table.add_row(
                one.owner,
                one.topic,
                one.key,
                str(one.messages),
                f"{age_s} s",
                one.first_type or "-",
                f"{one.reason}: {one.first_error}" if one.first_error else one.reason,
            )
        self._console.print(table if found else "nothing is parked")
        return 0

    async def retry(
        self,
        owner: str,
        topic: str,
        key: str,
        *,
        reason: str,
        by: str | None = None,
        wait_s: float = 15.0,
    ) -> int:
        """Run the queue of a key in order; it stops at the first message that fails again."""
        wish = Wish(owner=owner, verb="retry", topic=topic, key=key, reason=reason, by=by)
        return await self._ask(wish, wait_s)

    async def skip(
        self,
        owner: str,
        topic: str,
        key: str,
        *,
        reason: str,
        by: str | None = None,
        wait_s: float = 15.0,
    ) -> int:
        """Leave out the first message of a key for ever, then run the rest of its queue."""
        wish = Wish(owner=owner, verb="skip", topic=topic, key=key, reason=reason, by=by)
        return await self._ask(wish, wait_s)

    async def _ask(self, wish: Wish, wait_s: float) -> int:
        access = load_access(DatabaseAccess, self._environ)
        async with connected(access) as connection:
            return await ask_and_wait(connection, wish, wait_s=wait_s, console=self._console)
