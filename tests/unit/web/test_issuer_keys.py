"""When an issuer's keys are read, how long they are kept, and what made-up ids can set off."""

import asyncio

import pytest
from msgspec.structs import replace

from deploy.local.signing import SigningKeys
from libs.foundation.web.bearer.issuer_keys import IssuerKeys
from libs.foundation.web.bearer.key_sets import KeySetRefused
from libs.foundation.web.refusals import Overloaded
from libs.testkit.callers import Callers


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Source:
    """Publishes the keys of `keys`; counts who asks, fails and hangs on demand."""

    def __init__(self, keys: SigningKeys) -> None:
        self.keys = keys
        self.reads = 0
        self.fails = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def read(self) -> bytes:
        self.reads += 1
        await self.may_answer.wait()
        if self.fails:
            raise KeySetRefused("the status is 503")
        return self.keys.public()


class Bench:
    """Keys over a source and a clock that the test moves; `changes` counts what was announced."""

    def __init__(self, callers: Callers) -> None:
        settings = replace(callers.settings, keys_timeout_ms=50)
        self.clock = Clock()
        self.source = Source(callers.keys)
        self.changes = 0
        self.keys = IssuerKeys(callers.issuer, self.source, settings, self._changed, self.clock)
        self.pause_s = settings.unknown_key_pause_ms / 1_000
        self.age_max_s = settings.keys_age_max_ms / 1_000

    def _changed(self) -> None:
        self.changes += 1

    @property
    def current(self) -> str:
        return self.source.keys.current


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(Callers(tmp_path_factory.mktemp("issuer")))


async def test_no_token_is_judged_before_keys_were_read(bench: Bench) -> None:
    bench.source.fails = True

    assert not bench.keys.readiness().ready
    with pytest.raises(Overloaded, match="keys"):
        await bench.keys.find(bench.current)


async def test_a_known_key_is_found_without_asking(bench: Bench) -> None:
    await bench.keys.read()

    found = [await bench.keys.find(bench.current) for _ in range(5)]

    assert [key.kid for key in found if key is not None] == [bench.current] * 5
    assert (bench.source.reads, bench.changes) == (1, 1)
    assert bench.keys.readiness().ready


async def test_a_new_key_is_asked_for_when_its_first_token_comes(bench: Bench) -> None:
    await bench.keys.read()
    old, new = bench.current, bench.source.keys.rotate()

    found = await bench.keys.find(new)

    assert found is not None
    assert await bench.keys.find(old) is not None
    assert (bench.source.reads, bench.changes) == (2, 2)


async def test_made_up_ids_set_off_one_reading_a_pause(bench: Bench) -> None:
    await bench.keys.read()

    assert [await bench.keys.find(f"made-up-{n}") for n in range(50)] == [None] * 50
    assert bench.source.reads == 2
    bench.clock.now_s += bench.pause_s
    assert [await bench.keys.find(f"made-up-{n}") for n in range(50)] == [None] * 50
    assert bench.source.reads == 3


async def test_those_who_ask_at_once_share_one_reading(bench: Bench) -> None:
    await bench.keys.read()
    new = bench.source.keys.rotate()

    found = await asyncio.gather(*[bench.keys.find(new) for _ in range(20)])

    assert None not in found
    assert bench.source.reads == 2


async def test_one_that_gives_up_does_not_end_the_reading_of_the_others(bench: Bench) -> None:
    bench.source.may_answer.clear()
    impatient = asyncio.create_task(bench.keys.read())
    patient = asyncio.create_task(bench.keys.read())
    await asyncio.sleep(0)
    impatient.cancel()
    bench.source.may_answer.set()

    await patient

    assert bench.keys.readiness().ready
    assert bench.source.reads == 1


async def test_an_outage_keeps_the_last_keys_for_a_stated_time_and_no_longer(bench: Bench) -> None:
    await bench.keys.read()
    bench.source.fails = True

    bench.clock.now_s += bench.age_max_s - 1
    await bench.keys.read()
    assert await bench.keys.find(bench.current) is not None
    bench.clock.now_s += 1
    assert not bench.keys.readiness().ready
    with pytest.raises(Overloaded):
        await bench.keys.find(bench.current)
    bench.source.fails = False
    await bench.keys.read()
    assert await bench.keys.find(bench.current) is not None


async def test_a_source_that_hangs_counts_as_one_that_fails(bench: Bench) -> None:
    await bench.keys.read()
    bench.source.may_answer.clear()

    async with asyncio.timeout(5):
        await bench.keys.read()

    assert await bench.keys.find(bench.current) is not None


async def test_a_withdrawn_key_is_gone_with_the_next_reading(bench: Bench) -> None:
    await bench.keys.read()
    old = bench.current
    bench.source.keys.rotate()
    bench.source.keys.withdraw(old)

    await bench.keys.read()

    assert await bench.keys.find(old) is None
    assert bench.changes == 2


async def test_the_same_keys_read_again_are_no_change(bench: Bench) -> None:
    for _ in range(3):
        await bench.keys.read()

    assert bench.changes == 1
