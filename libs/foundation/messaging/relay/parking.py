"""Keys that are held back, as the one active relay knows them."""

from collections.abc import Sequence

from libs.foundation.database.connections import Connection
from libs.foundation.messaging.quarantine.failures import Failure
from libs.foundation.messaging.relay.publisher import HeldBack
from libs.foundation.messaging.sql import outbox_parked
from libs.foundation.messaging.sql.outbox_cursor import NewParkedKey, ParkedSeq
from libs.foundation.messaging.sql.outbox_windows import OutboxRow

Place = tuple[bytes, bytes]


def place_of(row: OutboxRow) -> Place:
    """Return what is held back as one: topic and key."""
    return row.topic, row.key


class ParkedKeys:
    """A copy of messaging.outbox_parked_keys; only the holder of the lease changes the table."""

    def __init__(self, places: set[Place]) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def split(self, rows: Sequence[OutboxRow]) -> tuple[Sequence[OutboxRow], list[HeldBack]]:
        """Return the rows to publish, and those that queue behind a parked row of their key."""
        if not self._places:
            return rows, []
        free = [row for row in rows if place_of(row) not in self._places]
        queued = [HeldBack(row, None) for row in rows if place_of(row) in self._places]
        return free, queued

    def add(self, held_back: Sequence[HeldBack]) -> None:
        """Hold back the keys of refused rows from now on; the table has them already."""
        self._places |= {place_of(each.row) for each in held_back}

    def free(self, topic: str, key: str) -> None:
        """Let a key's rows pass again; the table has let it go already."""
        self._places.discard((topic.encode(), key.encode()))


async def load(connection: Connection) -> ParkedKeys:
    """Read the parked keys."""
    keys = await outbox_parked.keys(connection)
    return ParkedKeys({(each.topic.encode(), each.key.encode()) for each in keys})


def new_keys(held_back: Sequence[HeldBack]) -> list[NewParkedKey]:
    """Return the keys whose row was refused just now."""
    return [
        NewParkedKey(
            topic=each.row.topic.decode(), key=each.row.key.decode(), reason=each.failure.error
        )
        for each in held_back
        if each.failure is not None
    ]


def rows_to_park(held_back: Sequence[HeldBack]) -> list[ParkedSeq]:
    """Return what the cursor's statement copies out of the outbox."""
    return [parked_seq(each.row.seq, each.failure) for each in held_back]


def parked_seq(seq: int, failure: Failure | None) -> ParkedSeq:
    """Return a row with what it was refused for, if it was refused itself."""
    if failure is None:
        return ParkedSeq(seq=seq)
    return ParkedSeq(
        seq=seq,
        error=failure.error,
        error_class=failure.error_class,
        error_code=failure.code,
        error_type=failure.type,
        frame=failure.frame,
        fingerprint=failure.fingerprint,
    )
