"""Stops calling a dependency that fails, and asks with one call whether it is well again."""

from collections.abc import Callable
from enum import StrEnum
from time import monotonic
from types import TracebackType
from typing import Annotated, ClassVar, Final, Self

from msgspec import Meta, Struct

from libs.foundation.errors import AppError, ErrorKind

_BUCKETS: Final = 10


class BreakerState(StrEnum):
    """What a breaker does with the next call."""

    CLOSED = "closed"  # Calls pass.
    OPEN = "open"  # Calls are refused.
    HALF_OPEN = "half-open"  # One call, the probe, passes; the others are refused.


class Outcome(StrEnum):
    """What a finished call says about its dependency."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"  # Cancelled before the dependency could show how it is.


class BreakerOpen(AppError):
    """The call was not made: its dependency failed too often just now."""

    kind: ClassVar[ErrorKind] = ErrorKind.OVERLOADED
    code: ClassVar[str] = "dependency-unavailable"

    def __init__(self, name: str, retry_after_s: float) -> None:
        super().__init__(f"calls to {name} are stopped for another {retry_after_s:.1f} s")
        self.name = name
        self.retry_after_s = retry_after_s


class BreakerSettings(Struct, frozen=True, kw_only=True):
    """When a breaker opens and for how long."""

    window_ms: Annotated[int, Meta(ge=100)] = 10_000
    """Time over which failures are counted."""
    samples_min: Annotated[int, Meta(ge=1)] = 20
    """Fewest results in the window that can open the breaker: a few bad calls prove nothing."""
    failure_ratio: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Share of failures in the window that opens the breaker."""
    open_ms: Annotated[int, Meta(ge=1)] = 5_000
    """Time without calls before the probe."""


class _Window:
    """Results of the last window, counted in buckets, so that memory does not grow with load."""

    def __init__(self, width_s: float) -> None:
        self._bucket_s = width_s / _BUCKETS
        self._buckets: list[tuple[int, int, int]] = []  # Number of the bucket, results, failures.

    def add(self, now_s: float, *, failed: bool) -> None:
        number = int(now_s / self._bucket_s)
        self._buckets = [each for each in self._buckets if each[0] > number - _BUCKETS]
        if not self._buckets or self._buckets[-1][0] != number:
            self._buckets.append((number, 0, 0))
        _, results, failures = self._buckets[-1]
        self._buckets[-1] = (number, results + 1, failures + failed)

    def counts(self) -> tuple[int, int]:
        return sum(each[1] for each in self._buckets), sum(each[2] for each in self._buckets)

    def clear(self) -> None:
        self._buckets.clear()


class Breaker:
    """A circuit breaker of one dependency in one process; used from one event loop.

    `on_change` is told each new state, for a metric or a log line.
    """

    def __init__(
        self,
        name: str,
        settings: BreakerSettings,
        *,
        on_change: Callable[[BreakerState], None] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.name = name
        self._settings = settings
        self._on_change = on_change
        self._clock = clock
        self._window = _Window(settings.window_ms / 1_000)
        self._state = BreakerState.CLOSED
        self._opened_at_s = 0.0
        self._probe: Attempt | None = None
        self._generation = 0

    @property
    def state(self) -> BreakerState:
        """What happens to the next call; an open breaker turns half-open when its time is over."""
        if self._state is BreakerState.OPEN and self._open_left_s() <= 0:
            self._become(BreakerState.HALF_OPEN)
        return self._state

    def attempt(self) -> "Attempt":
        """Return a `with` block around one call; entering raises `BreakerOpen` when it must not be.

        A block that raises counts as failed, one that is cancelled counts as nothing, any other
        as succeeded; `failed` and `succeeded` overrule that for answers only the caller can judge.
        """
        return Attempt(self)

    def admit(self, attempt: "Attempt") -> int:
        """Let an attempt begin and return the generation its result belongs to; `Attempt` calls."""
        if self.state is BreakerState.OPEN:
            raise BreakerOpen(self.name, self._open_left_s())
        if self._state is BreakerState.HALF_OPEN:
            if self._probe is not None:
                raise BreakerOpen(self.name, self._settings.open_ms / 1_000)
            self._probe = attempt
        return self._generation

    def settle(self, attempt: "Attempt", generation: int, outcome: Outcome) -> None:
        """Take the result of an attempt; `Attempt` calls."""
        is_probe = attempt is self._probe
        if is_probe:
            self._probe = None
        # A call that began before the state changed says nothing about the state after it.
        if outcome is Outcome.UNKNOWN or generation != self._generation:
            return
        failed = outcome is Outcome.FAILED
        if is_probe:
            self._become(BreakerState.OPEN if failed else BreakerState.CLOSED)
            return
        self._window.add(self._clock(), failed=failed)
        # A success may complete the samples, but it is no reason to stop.
        if failed and self._failing():
            self._become(BreakerState.OPEN)

    def _failing(self) -> bool:
        results, failures = self._window.counts()
        enough = results >= self._settings.samples_min
        return enough and failures >= results * self._settings.failure_ratio

    def _open_left_s(self) -> float:
        return self._opened_at_s + self._settings.open_ms / 1_000 - self._clock()

    def _become(self, state: BreakerState) -> None:
        self._state = state
        self._generation += 1
        self._window.clear()
        if state is BreakerState.OPEN:
            self._opened_at_s = self._clock()
        if self._on_change is not None:
            self._on_change(state)


class Attempt:
    """One call that asks the breaker before it begins and tells it how it went."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self._generation = 0
        self._judged: Outcome | None = None

    def succeeded(self) -> None:
        """Count the call as a success even if the block raises: the dependency did answer."""
        self._judged = Outcome.SUCCEEDED

    def failed(self) -> None:
        """Count the call as a failure even if the block ends well."""
        self._judged = Outcome.FAILED

    def __enter__(self) -> Self:
        self._generation = self._breaker.admit(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        outcome = self._judged or _outcome_of(kind)
        self._breaker.settle(self, self._generation, outcome)


def _outcome_of(kind: type[BaseException] | None) -> Outcome:
    if kind is None:
        return Outcome.SUCCEEDED
    return Outcome.FAILED if issubclass(kind, Exception) else Outcome.UNKNOWN
