"""Where the relay is: a position in the outbox, kept as a log of rows under the lease."""

from collections.abc import Sequence

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.messaging.quarantine.failures import author
from libs.foundation.messaging.relay.errors import LeaseLost
from libs.foundation.messaging.sql import outbox_cursor
from libs.foundation.messaging.sql.outbox_cursor import (
    CursorRow,
    NewParkedKey,
    Origin,
    ParkedSeq,
)


class Position(Struct, frozen=True, kw_only=True):
    """All that `prev` sees is published, and of what `cur` sees the rows up to `last_seq`."""

    prev: str
    cur: str | None = None
    last_seq: int = 0


class Cursor:
    """Appends positions of one epoch; made anew for each session, from the committed row."""

    def __init__(
        self, connection: Connection, latest: CursorRow, origin: Origin, epoch: int
    ) -> None:
        self._connection = connection
        self._origin = origin
        self._epoch = epoch
        self._n = latest.n if latest.epoch == epoch else 0
        self.committed = Position(prev=latest.prev, cur=latest.cur, last_seq=latest.last_seq)

    async def advance(
        self,
        position: Position,
        passed_rows: int,
        keys: Sequence[NewParkedKey] = (),
        rows: Sequence[ParkedSeq] = (),
    ) -> None:
        """Commit `position`, `passed_rows` further on, and with it what is parked on the way.

        Raises LeaseLost when another relay has taken over; nothing is written then.
        """
        row = self._row(position)
        if keys or rows:
            written = await outbox_cursor.advance_and_park(
                self._connection, row, passed_rows, keys, rows, author()
            )
        else:
            written = await outbox_cursor.advance(self._connection, row, passed_rows)
        if not written:
            raise LeaseLost(self._epoch)
        self._n += 1
        self.committed = position

    def _row(self, position: Position) -> CursorRow:
        return CursorRow(
            epoch=self._epoch,
            n=self._n + 1,
            prev=position.prev,
            cur=position.cur,
            last_seq=position.last_seq,
            system_identifier=self._origin.system_identifier,
            database_oid=self._origin.database_oid,
            timeline=self._origin.timeline,
        )
