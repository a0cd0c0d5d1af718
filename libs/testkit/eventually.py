"""Waits until a condition holds, and says what was seen last when it never did."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, Final, TypeVar, overload

T = TypeVar("T")

_WITHIN_S: Final = 20.0
_LOOK_S: Final = 0.02


@overload
async def eventually(
    look: Callable[[], Awaitable[T]], holds: Callable[[T], bool] = bool, *, within_s: float = ...
) -> T: ...
@overload
async def eventually(
    look: Callable[[], T], holds: Callable[[T], bool] = bool, *, within_s: float = ...
) -> T: ...
async def eventually(
    look: Callable[[], Any], holds: Callable[[Any], bool] = bool, *, within_s: float = _WITHIN_S
) -> object:
    """Return what `look` gives once `holds` accepts it; fail when the time is over."""
    seen: object = "nothing"
    try:
        async with asyncio.timeout(within_s):
            while True:
                seen = look()
                if isawaitable(seen):
                    seen = await seen
                if holds(seen):
                    return seen
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s; seen last: {seen!r}") from None
