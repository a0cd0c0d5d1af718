"""What blocks the event loop shows in a gauge."""

import asyncio
import threading

from prometheus_client import REGISTRY

from libs.foundation.runtime import loop_lag


def lag_s() -> float:
    return REGISTRY.get_sample_value("event_loop_lag_max_seconds") or 0.0


async def test_a_blocked_loop_is_seen_as_lag() -> None:
    loop_lag._LAG.set(0)  # pyright: ignore[reportPrivateUsage]  # Other tests run loops too.
    watch = asyncio.create_task(loop_lag.watch_loop_lag())
    try:
        await asyncio.sleep(0)
        threading.Event().wait(timeout=0.5)  # This is the fault under test.
        async with asyncio.timeout(20):
            while lag_s() == 0:
                await asyncio.sleep(0)
    finally:
        watch.cancel()

    assert lag_s() >= 0.2
