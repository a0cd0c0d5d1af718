"""Who relays the outbox, who stands by, and where the cursor is."""

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.messaging.relay.restore import refusal_of
from libs.foundation.messaging.sql import outbox_cursor, outbox_status


class CursorPosition(Struct, frozen=True, kw_only=True):
    """The committed position: epoch and window, and how long ago it moved."""

    epoch: int
    window: int
    prev: str
    cur: str | None
    last_seq: int
    timeline: int
    moved_s: float


class RelayStatus(Struct, frozen=True, kw_only=True):
    """The lease by the database's clock; `problem` is what keeps every relay from publishing.

    A standby is counted while it waits for the lease; one that waits for the broker is not.
    """

    holder: str
    epoch: int
    is_held: bool
    good_for_s: float | None
    renewed_s: float | None
    standbys: int
    cursor: CursorPosition | None
    problem: str | None
    remedy: str | None


async def relay_status(connection: Connection) -> RelayStatus:
    """Read the lease and the cursor."""
    lease = await outbox_status.lease(connection)
    cursor = await outbox_cursor.latest(connection)
    refusal = refusal_of(cursor, await outbox_cursor.server(connection))
    position: CursorPosition | None = None
    if cursor is not None:
        position = CursorPosition(
            epoch=cursor.epoch,
            window=cursor.n,
            prev=cursor.prev,
            cur=cursor.cur,
            last_seq=cursor.last_seq,
            timeline=cursor.timeline,
            moved_s=await outbox_status.cursor_moved_s(connection) or 0.0,
        )
    return RelayStatus(
        holder=lease.holder,
        epoch=lease.epoch,
        is_held=lease.is_held,
        good_for_s=lease.good_for_s,
        renewed_s=lease.renewed_s,
        standbys=await outbox_status.standbys(connection),
        cursor=position,
        problem=refusal.problem if refusal else None,
        remedy=refusal.remedy if refusal else None,
    )
