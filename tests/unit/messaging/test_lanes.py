"""Lanes, waves and the inbox together: whatever crashes, each effect happens once, in order."""

from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libs.foundation.messaging.consumer.records import Item
from libs.foundation.messaging.lanes import Lane, LaneError
from libs.foundation.messaging.waves import Wave, cut
from tests.unit.messaging.records import ToyRecord, item

LANE_BATCHES = 2
LANE_BYTES = 1_000_000


def record(offset: int) -> ToyRecord:
    return ToyRecord(offset=offset)


def test_a_lane_without_room_refuses_a_batch() -> None:
    lane = Lane(2, LANE_BYTES)
    lane.put([record(0)])
    lane.put([record(1)])

    assert not lane.has_room
    with pytest.raises(LaneError):
        lane.put([record(2)])


def test_a_lane_that_holds_enough_bytes_has_no_room_until_a_batch_is_finished() -> None:
    lane = Lane(10, 20_000)
    lane.put([ToyRecord(offset=0, value=b"x" * 10_000)])
    assert lane.has_room
    lane.put([ToyRecord(offset=1, value=b"x" * 10_000)])
    assert not lane.has_room

    lane.take()
    assert not lane.has_room
    lane.finish()

    assert lane.has_room


def test_many_small_records_count_for_more_than_their_bodies() -> None:
    lane = Lane(10, 20_000)

    lane.put([ToyRecord(offset=offset, value=b"") for offset in range(10)])

    assert not lane.has_room


def test_records_that_step_back_are_refused() -> None:
    lane = Lane(2, LANE_BYTES)
    lane.put([record(5)])

    with pytest.raises(LaneError):
        lane.put([record(5)])


def test_closing_throws_waiting_batches_away_and_lets_the_one_in_hand_end() -> None:
    lane = Lane(3, LANE_BYTES)
    for offset in range(3):
        lane.put([record(offset)])
    lane.take()

    lane.close()
    lane.finish()

    assert lane.to_commit == 1
    assert lane.take() is None
    assert not lane.has_room


def test_what_is_committed_is_not_committed_again() -> None:
    lane = Lane(2, LANE_BYTES)
    assert lane.to_commit is None
    lane.put([record(0), record(3)])
    lane.take()
    assert lane.to_commit is None

    lane.finish()
    lane.committed(4)

    assert (lane.done, lane.to_commit) == (4, None)


class ConsumerMachine(RuleBasedStateMachine):
    """One partition, its log, a database, and members that die at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[str, int]] = []  # Key and number of each record; numbers may repeat.
        self.numbers: dict[str, int] = {}
        self.inbox: set[tuple[str, int]] = set()
        self.effects: list[tuple[str, int]] = []
        self.committed = 0
        self.restart()

    def restart(self) -> None:
        self.lane = Lane(LANE_BATCHES, LANE_BYTES)
        self.position = self.committed
        self.waves: list[Wave] = []

    @rule(keys=st.lists(st.sampled_from("kmn"), min_size=1, max_size=6))
    def publish(self, keys: list[str]) -> None:
        for key in keys:
            self.numbers[key] = self.numbers.get(key, 0) + 1
            self.log.append((key, self.numbers[key]))

    @precondition(lambda self: self.log)
    @rule(data=st.data())
    def publish_again(self, data: st.DataObject) -> None:
        self.log.append(data.draw(st.sampled_from(self.log)))

    @precondition(lambda self: self.position < len(self.log) and self.lane.has_room)
    @rule(count=st.integers(1, 4))
    def fetch(self, count: int) -> None:
        end = min(len(self.log), self.position + count)
        self.lane.put([record(offset) for offset in range(self.position, end)])
        self.position = end

    @rule(waves_max=st.sampled_from([1, 2, 100]))
    def work(self, waves_max: int) -> None:
        """Take a batch if none is in hand, commit some of its waves, finish it after the last."""
        if not self.lane.in_hand:
            batch = self.lane.take() or []
            self.waves = cut([self.item(each.offset) for each in batch])
        for wave in self.waves[:waves_max]:
            self.commit(wave)
        del self.waves[:waves_max]
        if self.lane.in_hand and not self.waves:
            self.lane.finish()

    def item(self, offset: int) -> Item:
        """Give the messages of a key types that alternate, so that waves could reorder them."""
        key, number = self.log[offset]
        return item(key, offset, "ab"[number % 2])

    def commit(self, wave: Wave) -> None:
        for each in wave.items:
            message = self.log[each.record.offset]
            if message not in self.inbox:
                self.inbox.add(message)
                self.effects.append(message)

    @precondition(lambda self: self.lane.to_commit is not None)
    @rule()
    def commit_offsets(self) -> None:
        offset = self.lane.to_commit or 0
        self.committed = offset
        self.lane.committed(offset)

    @rule()
    def crash_or_rebalance(self) -> None:
        self.restart()

    @invariant()
    def committed_offsets_never_pass_what_took_effect(self) -> None:
        assert set(self.log[: self.committed]) <= self.inbox

    @invariant()
    def effects_are_single_and_in_order_for_their_key(self) -> None:
        for key in "kmn":
            numbers = [number for found, number in self.effects if found == key]
            assert all(after == before + 1 for before, after in pairwise([0, *numbers]))

    def teardown(self) -> None:
        """Whatever happened, a last member that runs to the end leaves nothing out."""
        self.restart()
        while self.position < len(self.log):
            self.fetch(4)
            self.work(100)
        assert set(self.effects) == set(self.log)


TestConsumerMachine = ConsumerMachine.TestCase
TestConsumerMachine.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
