"""Measures how late the event loop is: what blocks it delays every heartbeat and lease."""

import asyncio
from collections import deque
from typing import Final

from libs.foundation.observability.metrics import gauge

_INTERVAL_S: Final = 0.25
_SAMPLES: Final = 120

_LAG: Final = gauge(
    "event_loop_lag_max_seconds", "Longest delay of a timer of the event loop in the last 30 s."
)


async def watch_loop_lag() -> None:
    """Keep the gauge up to date until cancelled."""
    loop = asyncio.get_running_loop()
    lags_s: deque[float] = deque(maxlen=_SAMPLES)
    while True:
        due_s = loop.time() + _INTERVAL_S
        await asyncio.sleep(_INTERVAL_S)
        lags_s.append(max(0.0, loop.time() - due_s))
        _LAG.set(max(lags_s))
