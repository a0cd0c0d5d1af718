"""Bounds the transactions of a consumer, and lets the lanes that wait for a turn share one."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Final

from msgspec import Struct

from libs.foundation.messaging.consumer.records import Item
from libs.foundation.observability.logs import get_logger

_PATIENCE_S: Final = 0.1
_log: Final = get_logger(__name__)


class Handled(Struct, frozen=True, kw_only=True):
    """What one committed transaction did with messages."""

    handled: Sequence[Item]
    queued: Sequence[Item]
    duplicates: Sequence[Item]

    def share(self, items: Sequence[Item]) -> "Handled":
        """Return what became of these, each of which is the same object as in the whole."""
        own = {id(item) for item in items}
        return Handled(
            handled=[item for item in self.handled if id(item) in own],
            queued=[item for item in self.queued if id(item) in own],
            duplicates=[item for item in self.duplicates if id(item) in own],
        )


Run = Callable[[str, Sequence[Item]], Awaitable[Handled]]


class _Word(Enum):
    """What a part that waits is told, unless it is told what became of its messages."""

    YOUR_TURN = auto()
    GO_ALONE = auto()


class _Part:
    """What waits for a turn: messages of one lane, or nothing that could be shared."""

    def __init__(self, wave_type: str | None = None, items: Sequence[Item] = ()) -> None:
        self.wave_type = wave_type
        self.items = items
        self.keys = {item.key for item in items}
        self.is_patient = True
        self.told: asyncio.Future[_Word | Handled] = asyncio.get_running_loop().create_future()

    def goes_with(self, other: "_Part") -> bool:
        """Say whether both are of one type and topic, so that one handler can have both."""
        return (
            self.wave_type is not None
            and self.wave_type == other.wave_type
            and self.items[0].record.topic == other.items[0].record.topic
            # Two messages of a key in one transaction would let a set-based UPDATE keep only one.
            and self.keys.isdisjoint(other.keys)
        )

    def tell(self, word: _Word | Handled) -> None:
        if not self.told.done():
            self.told.set_result(word)


class Turns:
    """Deals turns in order of arrival; whoever has one takes along what waits and goes with it.

    What goes with a transaction under way waits for its end although a turn may be free, which
    makes the next transaction the larger; but only for a moment, since the one under way may be
    waiting for a lock. A shared transaction that fails says nothing about anybody's messages:
    each part then goes alone, so that what is judged, and parked, has failed by itself.
    """

    def __init__(self, run: Run, *, at_once_max: int, messages_max: int) -> None:
        self._run = run
        self._free = at_once_max
        self._messages_max = messages_max
        self._waiting: deque[_Part] = deque()
        self._under_way: list[_Part] = []

    async def handle(self, wave_type: str, items: Sequence[Item], *, alone: bool) -> Handled:
        """Run messages of one lane and one type, in a transaction with others unless `alone`."""
        if not alone:
            part = _Part(wave_type, items)
            word = await self._wait(part)
            if isinstance(word, Handled):
                return word
            if word is _Word.YOUR_TURN:
                async with self._passing_on():
                    return await self._lead(part, wave_type)
        async with self.turn():
            return await self._run(wave_type, items)

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for a turn that is not shared."""
        await self._wait(_Part())
        async with self._passing_on():
            yield

    async def _wait(self, part: _Part) -> _Word | Handled:
        if self._free and not self._has_company(part):
            self._free -= 1
            return _Word.YOUR_TURN
        self._waiting.append(part)
        impatient = asyncio.get_running_loop().call_later(_PATIENCE_S, self._hurry, part)
        try:
            return await part.told
        except asyncio.CancelledError:
            if part in self._waiting:
                self._waiting.remove(part)
            elif not part.told.cancelled() and part.told.result() is _Word.YOUR_TURN:
                # Told at the very moment at which it gave up.
                self._pass_on()
            raise
        finally:
            impatient.cancel()

    def _has_company(self, part: _Part) -> bool:
        return part.is_patient and any(part.goes_with(each) for each in self._under_way)

    def _hurry(self, part: _Part) -> None:
        """Let a part have the next turn there is, whoever is under way."""
        part.is_patient = False
        if self._free and part in self._waiting:
            self._waiting.remove(part)
            self._free -= 1
            part.tell(_Word.YOUR_TURN)

    @asynccontextmanager
    async def _passing_on(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        for part in self._waiting:
            if not self._has_company(part):
                self._waiting.remove(part)
                part.tell(_Word.YOUR_TURN)
                return
        self._free += 1

    async def _lead(self, part: _Part, wave_type: str) -> Handled:
        together = self._take_along(part)
        self._under_way.append(part)
        try:
            return await self._run_all(part, together, wave_type)
        finally:
            self._under_way.remove(part)

    async def _run_all(self, part: _Part, together: Sequence[_Part], wave_type: str) -> Handled:
        if len(together) > 1:
            try:
                return await self._run_together(together, wave_type)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is nobody's yet.
                _log.info("shared_wave_divided", lanes=len(together), error=type(error).__name__)
        return await self._run(wave_type, part.items)

    def _take_along(self, leading: _Part) -> list[_Part]:
        together = [leading]
        room = self._messages_max - len(leading.items)
        staying: deque[_Part] = deque()
        for part in self._waiting:
            fits = len(part.items) <= room and all(part.goes_with(each) for each in together)
            if fits:
                together.append(part)
                room -= len(part.items)
            else:
                staying.append(part)
        self._waiting = staying
        return together

    async def _run_together(self, together: Sequence[_Part], wave_type: str) -> Handled:
        """Return the first part's share, and tell the others theirs."""
        # In one order for everybody: members that overlap for a moment queue at the first row.
        items = sorted((item for part in together for item in part.items), key=_place)
        try:
            handled = await self._run(wave_type, items)
        except BaseException:
            for part in together:
                part.tell(_Word.GO_ALONE)
            raise
        for part in together:
            part.tell(handled.share(part.items))
        return handled.share(together[0].items)


def _place(item: Item) -> tuple[int, int]:
    return item.record.partition, item.record.offset
