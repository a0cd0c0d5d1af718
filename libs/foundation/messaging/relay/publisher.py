"""What the relay asks of a publisher, and the lanes any publisher sends in."""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from libs.foundation.messaging.quarantine.failures import Failure
from libs.foundation.messaging.sql.outbox_windows import OutboxRow

Check = Callable[[], None]


class HeldBack(Struct, frozen=True):
    """A row that was not published: refused by a `failure`, or queued behind a refused one."""

    row: OutboxRow
    failure: Failure | None


class Publisher(Protocol):
    """Publishes rows at least once; rows of a key in their order.

    In `publish` a refused row holds back the later rows of its topic and key; all others are
    published. `may_send` is called before anything is sent and raises when this process must not
    send any more. It returns when every row is acknowledged or held back, or raises once what was
    sent is settled: Blocked when a person must help, ProducerFailed when the process must end.
    """

    async def prepare(self) -> None:
        """Connect, for as long as it takes; raise Blocked when a topic is not as agreed."""
        ...

    async def publish(self, rows: Sequence[OutboxRow], may_send: Check) -> list[HeldBack]: ...


class Lane:
    """The rows of one partition, sent strictly one batch after the other.

    Kafka takes any sequence number from a producer it does not know yet, so a batch sent behind
    a refused one may be accepted and change the order: the next one waits for the answer.
    """

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.rows: list[OutboxRow] = []
        self.held_back: list[HeldBack] = []
        # While a refused row is looked for: it is among the first so many rows.
        self._suspects = 0

    @property
    def rows_max(self) -> int:
        """How many rows the next batch may hold."""
        return len(self.rows) if self._suspects == 0 else max(1, self._suspects // 2)

    def acknowledged(self, count: int) -> None:
        """Forget the first `count` rows: they are published."""
        del self.rows[:count]
        self._suspects = max(0, self._suspects - count)

    def refused(self, count: int, failure: Failure) -> None:
        """Take note that a batch of the first `count` rows was refused as a whole."""
        if count > 1:
            self._suspects = count
            return
        self._suspects = 0
        poison = self.rows[0]
        queued = [row for row in self.rows[1:] if row.key == poison.key]
        self.held_back.append(HeldBack(poison, failure))
        self.held_back += [HeldBack(row, None) for row in queued]
        self.rows = [row for row in self.rows if row.key != poison.key]


def lanes_of(rows: Sequence[OutboxRow]) -> list[Lane]:
    """Split rows by partition, each lane in the order of the rows."""
    lanes: dict[tuple[bytes, int], Lane] = {}
    for row in rows:
        place = (row.topic, row.partition)
        lane = lanes.get(place)
        if lane is None:
            lane = lanes[place] = Lane(row.topic.decode(), row.partition)
        lane.rows.append(row)
    return list(lanes.values())
