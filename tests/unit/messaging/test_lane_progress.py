"""How a lane waits for something to happen, and how it is told that nothing will."""

import asyncio

import pytest

from libs.foundation.messaging.consumer.progress import LaneClosed, LaneProgress


async def test_a_lane_goes_on_when_what_it_waits_for_happens() -> None:
    progress, event = LaneProgress("toys[0]"), asyncio.Event()
    waiting = asyncio.create_task(progress.until(event))
    await asyncio.sleep(0)
    assert not waiting.done()

    event.set()

    await asyncio.wait_for(waiting, 5)


async def test_a_lane_that_is_closed_stops_waiting() -> None:
    progress, event = LaneProgress("toys[0]"), asyncio.Event()
    waiting = asyncio.create_task(progress.until(event))

    progress.close()

    with pytest.raises(LaneClosed):
        await asyncio.wait_for(waiting, 5)


async def test_a_closed_lane_does_not_go_on_even_if_it_could() -> None:
    progress, event = LaneProgress("toys[0]"), asyncio.Event()
    progress.close()
    event.set()

    with pytest.raises(LaneClosed):
        await progress.until(event)
