"""Tries again after errors that pass: full jitter, a cap, a budget, never past the deadline.

Ours rather than a library's: none of them shares a budget between calls, which is what keeps
retries from multiplying the load of a dependency that is already failing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import SystemRandom
from typing import Annotated, Final, TypeVar

from msgspec import Meta, Struct

from libs.foundation.resilience.deadline import Deadline

T = TypeVar("T")
Uniform = Callable[[float, float], float]

_uniform: Final[Uniform] = SystemRandom().uniform
_DOUBLINGS_MAX: Final = 62


class Backoff(Struct, frozen=True, kw_only=True):
    """Waits between tries: anything between zero and a bound that doubles up to a cap."""

    first_ms: Annotated[float, Meta(gt=0)] = 200
    """Bound of the wait before the first retry."""
    cap_ms: Annotated[float, Meta(gt=0)] = 20_000
    """Largest bound."""

    def delay_ms(self, failures: int, uniform: Uniform = _uniform) -> float:
        """Return the wait after so many failures, one or more.

        The whole range is random, so that callers that failed together do not return together.
        """
        if failures < 1:
            raise ValueError("a wait follows a failure")
        doublings = min(failures - 1, _DOUBLINGS_MAX)
        return uniform(0, min(self.cap_ms, self.first_ms * 2**doublings))


class RetryBudget:
    """Retries shared by all calls to one dependency: successes earn them, retries spend them.

    With a cost of 10 and a deposit of 1, retries add at most 10 % to the load in the long run,
    and at most `tokens_max / retry_cost` in one burst.
    """

    def __init__(
        self, tokens_max: int = 500, *, retry_cost: int = 10, success_deposit: int = 1
    ) -> None:
        if not 0 < success_deposit <= retry_cost <= tokens_max:
            raise ValueError("0 < success_deposit <= retry_cost <= tokens_max must hold")
        self._tokens_max = tokens_max
        self._retry_cost = retry_cost
        self._success_deposit = success_deposit
        self._tokens = tokens_max

    @property
    def tokens(self) -> int:
        """What is left."""
        return self._tokens

    def deposit(self) -> None:
        """Note a success."""
        self._tokens = min(self._tokens_max, self._tokens + self._success_deposit)

    def withdraw(self) -> bool:
        """Take the cost of one retry, or take nothing and say no."""
        if self._tokens < self._retry_cost:
            return False
        self._tokens -= self._retry_cost
        return True


async def retry(
    call: Callable[[], Awaitable[T]],
    *,
    retry_on: tuple[type[Exception], ...],
    tries_max: int,
    deadline: Deadline,
    backoff: Backoff,
    budget: RetryBudget | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    uniform: Uniform = _uniform,
) -> T:
    """Await `call` until it succeeds; `call` must be safe to repeat.

    The last error is raised when it is not one of `retry_on`, when the tries or the budget are
    used up, or when the wait would end after the deadline.
    """
    failures = 0
    while True:
        try:
            async with deadline.enforced():
                result = await call()
        except retry_on:
            failures += 1
            delay_s = backoff.delay_ms(failures, uniform) / 1_000
            if failures >= tries_max or not _affordable(delay_s, deadline, budget):
                raise
        else:
            if budget is not None:
                budget.deposit()
            return result
        await sleep(delay_s)


def _affordable(delay_s: float, deadline: Deadline, budget: RetryBudget | None) -> bool:
    if deadline.passed or delay_s >= deadline.remaining_s():
        return False
    return budget is None or budget.withdraw()
