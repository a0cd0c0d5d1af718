"""A point in time after which nobody waits for the answer; passed down as a value."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Self


class DeadlineExceeded(TimeoutError):
    """The time for the whole task is over; work under way may or may not have taken effect."""

    def __init__(self) -> None:
        super().__init__("the deadline has passed")


class Deadline:
    """One deadline for a task and for every call it makes, on the monotonic clock."""

    __slots__ = ("_clock", "_ends_at_s")

    def __init__(self, ends_at_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._ends_at_s = ends_at_s
        self._clock = clock

    @classmethod
    def after_ms(cls, duration_ms: float, clock: Callable[[], float] = monotonic) -> Self:
        """Start a deadline that ends `duration_ms` from now."""
        return cls(clock() + duration_ms / 1_000, clock)

    @property
    def passed(self) -> bool:
        """Whether the time is over."""
        return self._clock() >= self._ends_at_s

    def remaining_s(self) -> float:
        """Return the time left in seconds, always more than zero; raise when there is none.

        Raising here keeps a call from starting with a timeout of zero, which some clients read
        as "wait for ever".
        """
        left = self._ends_at_s - self._clock()
        if left <= 0:
            raise DeadlineExceeded
        return left

    def at_most_ms(self, duration_ms: float) -> Self:
        """Return the deadline of one call: `duration_ms` from now, but never later than this."""
        ends_at_s = min(self._ends_at_s, self._clock() + duration_ms / 1_000)
        return type(self)(ends_at_s, self._clock)

    @asynccontextmanager
    async def enforced(self) -> AsyncGenerator[None]:
        """Cancel the block when the time is over, and raise `DeadlineExceeded` in its place."""
        timer = asyncio.timeout(self.remaining_s())
        try:
            async with timer:
                yield
        except TimeoutError as error:
            # A timeout of the block's own must not be taken for the deadline.
            if timer.expired():
                raise DeadlineExceeded from error
            raise
