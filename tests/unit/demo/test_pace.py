"""The shop waits while too many orders are on their way, but not for ever."""

import asyncio

import pytest

from loadtests.demo.pace import Pace, StandstillError


async def test_a_full_pace_lets_the_next_order_in_when_one_is_final() -> None:
    pace = Pace(on_their_way_max=1, standstill_s=5)
    await pace.enter()
    waiting = asyncio.create_task(pace.enter())

    pace.final(1)

    async with asyncio.timeout(5):
        await waiting


async def test_a_standstill_is_an_error_and_not_a_wait() -> None:
    pace = Pace(on_their_way_max=2, standstill_s=0.01)
    await pace.enter()
    await pace.enter()

    with pytest.raises(StandstillError, match="2 orders"):
        await pace.enter()
