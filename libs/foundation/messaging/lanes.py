"""One partition's bounded queue of batches, and how far its offsets may be committed."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from libs.foundation.messaging.consumer.records import Record

# A record object with its key, its headers and what it is decoded into.
_RECORD_BYTES: Final = 4_096


class LaneError(RuntimeError):
    """A bug in the caller: it would lose records or commit what is not done."""


class Lane:
    """Batches wait, one is in hand, and only what is finished may be committed.

    The batch in hand counts as held until it is finished. Closing throws the waiting batches
    away; the one in hand may still be finished.
    """

    def __init__(self, batches_max: int, bytes_max: int) -> None:
        self._batches_max = batches_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._waiting: deque[Sequence[Record]] = deque()
        self._in_hand: Sequence[Record] | None = None
        self._last_offset: int | None = None
        self._done: int | None = None
        self._committed: int | None = None
        self.closed = False

    @property
    def has_room(self) -> bool:
        """Whether a batch may be put: it may pass the bound of bytes, the next one waits then."""
        held = len(self._waiting) + self.in_hand
        return not self.closed and held < self._batches_max and self._bytes < self._bytes_max

    @property
    def in_hand(self) -> bool:
        return self._in_hand is not None

    @property
    def done(self) -> int | None:
        """The next offset to read after a restart, or None while nothing was finished."""
        return self._done

    @property
    def to_commit(self) -> int | None:
        """What `done` is, unless it is committed already."""
        return self._done if self._done != self._committed else None

    @property
    def oldest(self) -> Record | None:
        """The first record that is not finished."""
        held = self._in_hand or (self._waiting[0] if self._waiting else None)
        return held[0] if held else None

    def put(self, batch: Sequence[Record]) -> None:
        """Add what Kafka gave; refuses a batch without room, and one that steps back."""
        if not batch or not self.has_room:
            raise LaneError("a batch needs records, and a lane with room")
        if self._last_offset is not None and batch[0].offset <= self._last_offset:
            raise LaneError(f"offset {batch[0].offset} comes after {self._last_offset}")
        self._last_offset = batch[-1].offset
        self._bytes += size_of(batch)
        self._waiting.append(batch)

    def take(self) -> Sequence[Record] | None:
        """Take the next batch in hand, or None when nothing waits or the lane is closed."""
        if self._in_hand is not None:
            raise LaneError("the batch in hand is not finished")
        if self.closed or not self._waiting:
            return None
        self._in_hand = self._waiting.popleft()
        return self._in_hand

    def finish(self) -> None:
        """Note that every record in hand has taken effect, is parked, or is skipped."""
        if self._in_hand is None:
            raise LaneError("there is no batch in hand")
        self._done = self._in_hand[-1].offset + 1
        self._bytes -= size_of(self._in_hand)
        self._in_hand = None

    def committed(self, offset: int) -> None:
        """Note that the broker holds `offset`."""
        self._committed = offset

    def close(self) -> None:
        """Take nothing more; the partition now belongs to somebody else."""
        self.closed = True
        self._bytes -= sum(size_of(batch) for batch in self._waiting)
        self._waiting.clear()


def size_of(batch: Sequence[Record]) -> int:
    """Return about how much memory a batch holds: its bodies, and what is around each."""
    return sum(len(record.value or b"") for record in batch) + _RECORD_BYTES * len(batch)
