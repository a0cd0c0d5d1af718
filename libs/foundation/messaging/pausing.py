"""Waits between two rounds of a loop, and not a moment longer than the process lives."""

import asyncio

from libs.foundation.messaging.definitions import Stopping


async def pause(stopping: Stopping, interval_ms: float) -> None:
    """Return after the interval, or as soon as `stopping` is set."""
    try:
        async with asyncio.timeout(interval_ms / 1_000):
            await stopping.wait()
    except TimeoutError:
        return
