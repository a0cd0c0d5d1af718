"""Waits for a condition that no signal announces, such as a row written by another process."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, TypeVar

T = TypeVar("T")

_INTERVAL_S: Final = 0.01


async def until(condition: Callable[[], Awaitable[T]], *, within_s: float = 20.0) -> T:
    """Return the condition's first true value; fail when there is none in time."""
    ends_at = monotonic() + within_s
    while True:
        value = await condition()
        if value:
            return value
        if monotonic() >= ends_at:
            raise TimeoutError(f"still {value!r} after {within_s} s")
        await asyncio.sleep(_INTERVAL_S)
