"""A lane finds the one refused row, parks its key and keeps the order of all others."""

import pytest

from libs.foundation.messaging.quarantine.failures import refused
from libs.foundation.messaging.relay.publisher import Lane, lanes_of
from libs.foundation.messaging.sql.outbox_windows import OutboxRow


def row(seq: int, key: str, partition: int = 0, topic: str = "toys.events") -> OutboxRow:
    return OutboxRow(
        seq=seq,
        topic=topic.encode(),
        partition=partition,
        key=key.encode(),
        id=b"0190b5d2-aaaa-7bbb-8ccc-1234567890ab",
        type=b"toys.changed.v1",
        source=b"/orderly/toys",
        occurred_at=b"2026-11-23 08:00:00.5",
        sequence=seq,
        traceparent=None,
        payload=b"{}",
        written_at_s=0.0,
    )


def send(lane: Lane, poison: set[int]) -> tuple[list[int], int]:
    """Send a lane to its end; return the published seqs and the number of refusals."""
    published: list[int] = []
    refusals = 0
    while lane.rows:
        batch = lane.rows[: lane.rows_max]
        if any(each.seq in poison for each in batch):
            lane.refused(len(batch), refused("too-large", "too large"))
            refusals += 1
        else:
            published += [each.seq for each in batch]
            lane.acknowledged(len(batch))
    return published, refusals


def test_rows_are_split_by_topic_and_partition_in_their_order() -> None:
    rows = [row(1, "a"), row(2, "b", 1), row(3, "a"), row(4, "a", 0, "other")]

    lanes = lanes_of(rows)

    found = [(lane.topic, lane.partition, [each.seq for each in lane.rows]) for lane in lanes]
    assert found == [("toys.events", 0, [1, 3]), ("toys.events", 1, [2]), ("other", 0, [4])]


@pytest.mark.parametrize("poison", range(1, 41))
def test_wherever_the_refused_row_is_only_its_key_waits(poison: int) -> None:
    (lane,) = lanes_of([row(seq, f"key-{seq % 5}") for seq in range(1, 41)])

    published, refusals = send(lane, {poison})

    waiting = [seq for seq in range(poison, 41) if seq % 5 == poison % 5]
    assert published == [seq for seq in range(1, 41) if seq not in waiting]
    assert [each.row.seq for each in lane.held_back] == waiting
    errors = [each.failure and each.failure.error for each in lane.held_back]
    assert errors == ["too large"] + [None] * (len(waiting) - 1)
    assert refusals <= 8


def test_several_refused_rows_park_each_of_their_keys() -> None:
    (lane,) = lanes_of([row(seq, f"key-{seq}") for seq in range(1, 9)])

    published, _ = send(lane, {1, 5, 8})

    assert published == [2, 3, 4, 6, 7]
    assert [each.row.seq for each in lane.held_back] == [1, 5, 8]
