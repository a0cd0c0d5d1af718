"""Claims messages for a consumer, so that each takes effect once however often it arrives."""

from collections.abc import Sequence
from uuid import UUID

from psycopg.errors import CheckViolation

from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.messaging.sql import inbox


class InboxWindowMoved(RuntimeError):
    """The partitions changed since they were read, or the newest is missing; look again."""


class InboxWindow:
    """The ids that can be claimed; older ones have no partition any more."""

    def __init__(self) -> None:
        self._bounds: inbox.Bounds | None = None

    async def refresh(self, pool: Pool) -> None:
        """Read the bounds of the partitions; raises InboxWindowMoved when there are none."""
        async with transaction(pool) as tx:
            self._bounds = await inbox.bounds(tx)
        if self._bounds is None:
            raise InboxWindowMoved("messaging.inbox has no partition; the relay makes them")

    def is_outside(self, event_id: UUID) -> bool:
        """Say whether `event_id` is older than everything the inbox still remembers."""
        return self._bounds is not None and event_id < self._bounds.first


async def claim(tx: Transaction, consumer: str, event_ids: Sequence[UUID]) -> set[UUID]:
    """Claim the ids, in their order, and return those nobody had claimed.

    Raises InboxWindowMoved, not a violation, when an id has no partition: that says nothing
    about the message.
    """
    if not event_ids:
        return set()
    try:
        return set(await inbox.claim(tx, consumer, event_ids))
    except CheckViolation as error:
        if error.diag.table_name != "inbox":
            raise
        raise InboxWindowMoved(error.diag.message_primary) from error
