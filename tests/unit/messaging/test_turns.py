"""Lanes share transactions, each gets its own share, and nobody is judged by a neighbour."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from libs.foundation.messaging.consumer import turns
from libs.foundation.messaging.consumer.records import Item
from libs.foundation.messaging.consumer.turns import Handled, Turns
from tests.unit.messaging.records import item

_WAVE: Final = "toy.thing_happened.v1"
_OTHER: Final = "toy.thing_undone.v1"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a busy machine from making anybody impatient; a test of impatience sets its own."""
    monkeypatch.setattr(turns, "_PATIENCE_S", 60)


@pytest.fixture
def impatience(patience: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE_S", 0)


class Transactions:
    """Stands for the database: each transaction ends when it is let go; poisoned keys fail it."""

    def __init__(self, *, poisoned: str = "", held_up: str = "") -> None:
        self.begun: list[tuple[str, list[str]]] = []
        self.running = 0
        self.most = 0
        self.as_it_ends: Callable[[], object] = lambda: None
        self._poisoned = poisoned
        self._held_up = held_up
        self._lock = asyncio.Event()
        self._gate = asyncio.Event()

    async def run(self, wave_type: str, items: Sequence[Item]) -> Handled:
        self.begun.append((wave_type, [each.key for each in items]))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            is_held_up = any(each.key == self._held_up for each in items)
            await (self._lock if is_held_up else self._gate).wait()
        finally:
            self.running -= 1
        asyncio.get_running_loop().call_soon(self.as_it_ends)
        if any(each.key == self._poisoned for each in items):
            raise ValueError(self._poisoned)
        return Handled(handled=items, queued=[], duplicates=[])

    def let_go(self) -> None:
        self._gate.set()

    def unlock(self) -> None:
        """Let the one that is held up go as well."""
        self._lock.set()


def keys_of(handled: Handled) -> list[str]:
    return [each.key for each in handled.handled]


async def settled() -> None:
    """Let every task run as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


class Lanes:
    """Starts lanes that each handle one wave."""

    def __init__(
        self, transactions: Transactions, *, at_once_max: int = 1, messages_max: int = 100
    ) -> None:
        self._turns = Turns(transactions.run, at_once_max=at_once_max, messages_max=messages_max)
        self.tasks: list[asyncio.Task[Handled]] = []

    async def begin(
        self, *keys: str, partition: int = 0, wave_type: str = _WAVE, alone: bool = False
    ) -> asyncio.Task[Handled]:
        items = [item(key, partition=partition, offset=place) for place, key in enumerate(keys)]
        task = asyncio.create_task(self._turns.handle(wave_type, items, alone=alone))
        self.tasks.append(task)
        await settled()
        return task

    async def outcomes(self) -> list[list[str] | str]:
        ended = await asyncio.gather(*self.tasks, return_exceptions=True)
        return [
            keys_of(each) if isinstance(each, Handled) else type(each).__name__ for each in ended
        ]


async def test_what_waits_goes_in_one_transaction_and_each_lane_gets_its_own() -> None:
    transactions = Transactions()
    lanes = Lanes(transactions)
    await lanes.begin("a", partition=5)
    await lanes.begin("b", "c", partition=2)
    await lanes.begin("d", partition=1)
    transactions.let_go()

    assert await lanes.outcomes() == [["a"], ["b", "c"], ["d"]]
    # The second is in the order of partitions and offsets, whoever came first.
    assert transactions.begun == [(_WAVE, ["a"]), (_WAVE, ["d", "b", "c"])]


async def test_a_lane_without_company_goes_at_once() -> None:
    transactions = Transactions()
    lanes = Lanes(transactions, at_once_max=2)
    await lanes.begin("a")
    await lanes.begin("b", wave_type=_OTHER)

    assert transactions.begun == [(_WAVE, ["a"]), (_OTHER, ["b"])]
    transactions.let_go()
    await lanes.outcomes()


async def test_company_waits_for_the_transaction_under_way_though_a_turn_is_free() -> None:
    transactions = Transactions()
    lanes = Lanes(transactions, at_once_max=3)
    await lanes.begin("a")
    await lanes.begin("b")
    await lanes.begin("c")

    assert transactions.running == 1
    transactions.let_go()
    await lanes.outcomes()
    assert transactions.begun == [(_WAVE, ["a"]), (_WAVE, ["b", "c"])]


@pytest.mark.usefixtures("impatience")
async def test_company_has_a_free_turn_after_a_moment_when_the_other_is_held_up() -> None:
    transactions = Transactions(held_up="a")
    lanes = Lanes(transactions, at_once_max=2)
    await lanes.begin("a")
    await lanes.begin("b")

    assert [keys for _, keys in transactions.begun] == [["a"], ["b"]]
    transactions.let_go()
    transactions.unlock()
    assert await lanes.outcomes() == [["a"], ["b"]]


@pytest.mark.usefixtures("impatience")
async def test_who_lost_patience_while_no_turn_was_free_has_the_next_one() -> None:
    transactions = Transactions(held_up="a")
    lanes = Lanes(transactions, at_once_max=2)
    await lanes.begin("a")
    await lanes.begin("another", wave_type=_OTHER)
    await lanes.begin("b")
    transactions.let_go()
    await settled()

    assert [keys for _, keys in transactions.begun] == [["a"], ["another"], ["b"]]
    transactions.unlock()
    assert await lanes.outcomes() == [["a"], ["another"], ["b"]]


@pytest.mark.parametrize(
    ("keys", "wave_type"),
    [(["b"], _OTHER), (["waits"], _WAVE), (["b", "c", "d"], _WAVE)],
    ids=["another type", "a common key", "too many"],
)
async def test_what_does_not_go_together_goes_apart(keys: list[str], wave_type: str) -> None:
    transactions = Transactions()
    lanes = Lanes(transactions, messages_max=3)
    await lanes.begin("first")
    await lanes.begin("waits")
    await lanes.begin(*keys, wave_type=wave_type)
    transactions.let_go()

    assert await lanes.outcomes() == [["first"], ["waits"], keys]
    assert transactions.begun[1:] == [(_WAVE, ["waits"]), (wave_type, keys)]


async def test_a_shared_transaction_that_fails_is_nobodys_fault() -> None:
    transactions = Transactions(poisoned="c")
    lanes = Lanes(transactions)
    await lanes.begin("a")
    for key in ("b", "c", "d"):
        await lanes.begin(key)
    transactions.let_go()

    assert await lanes.outcomes() == [["a"], ["b"], "ValueError", ["d"]]
    assert [keys for _, keys in transactions.begun] == [["a"], ["b", "c", "d"], ["b"], ["c"], ["d"]]


async def test_who_wants_to_be_alone_is_alone() -> None:
    transactions = Transactions()
    lanes = Lanes(transactions)
    await lanes.begin("a")
    await lanes.begin("b", alone=True)
    await lanes.begin("c")
    transactions.let_go()

    assert await lanes.outcomes() == [["a"], ["b"], ["c"]]
    assert [keys for _, keys in transactions.begun] == [["a"], ["b"], ["c"]]


async def test_turns_are_bounded() -> None:
    transactions = Transactions()
    lanes = Lanes(transactions, at_once_max=2)
    for number in range(6):
        await lanes.begin(str(number), alone=True)
    transactions.let_go()
    await lanes.outcomes()

    assert transactions.most == 2


async def test_a_lane_that_gives_up_while_it_waits_takes_no_turn_and_holds_none() -> None:
    transactions = Transactions()
    lanes = Lanes(transactions)
    await lanes.begin("a")
    gone = await lanes.begin("b")
    await lanes.begin("c")
    gone.cancel()
    transactions.let_go()

    assert await lanes.outcomes() == [["a"], "CancelledError", ["c"]]
    assert [keys for _, keys in transactions.begun] == [["a"], ["c"]]


async def test_a_lane_that_gives_up_as_its_turn_comes_passes_it_on() -> None:
    transactions = Transactions()
    lanes = Lanes(transactions)
    await lanes.begin("a")
    gone = await lanes.begin("b", alone=True)
    await lanes.begin("c")
    # Called after the turn was dealt, and before the lane that has it knows.
    transactions.as_it_ends = gone.cancel
    transactions.let_go()

    assert await lanes.outcomes() == [["a"], "CancelledError", ["c"]]


async def test_lanes_whose_leader_is_interrupted_go_on_without_it() -> None:
    transactions = Transactions()
    lanes = Lanes(transactions)
    first = await lanes.begin("a")
    leader = await lanes.begin("b")
    await lanes.begin("c")
    first.cancel()
    await settled()
    assert transactions.begun[-1] == (_WAVE, ["b", "c"])
    leader.cancel()
    await settled()
    transactions.let_go()

    assert await lanes.outcomes() == ["CancelledError", "CancelledError", ["c"]]
