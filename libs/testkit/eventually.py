"""Waits until a condition holds, and says what was seen last when it never did."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final, TypeVar, cast

T = TypeVar("T")

_WITHIN_S: Final = 20.0
_LOOK_S: Final = 0.02


async def eventually(
    look: Callable[[], T | Awaitable[T]],
    holds: Callable[[T], bool] = bool,
    *,
    within_s: float = _WITHIN_S,
) -> T:
    """Return what `look` gives once `holds` accepts it; fail when the time is over."""
    seen: object = "nothing"
    try:
        async with asyncio.timeout(within_s):
            while True:
                looked = look()
                value = await looked if isawaitable(looked) else cast("T", looked)
                if holds(value):
                    return value
                seen = value
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s; seen last: {seen!r}") from None
