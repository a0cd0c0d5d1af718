"""Whether a process should be given work: by what it gets done, not by asking its dependencies."""

from collections.abc import Callable
from time import monotonic
from typing import Final, NamedTuple


class Readiness(NamedTuple):
    """The result of one check; `reason` says what is missing."""

    ready: bool
    reason: str = ""


Check = Callable[[], Readiness]

READY: Final = Readiness(ready=True)


class Progress:
    """Readiness of a loop: it is idle, or it got something done within the limit.

    `busy` when work is in hand, `mark` after each step that succeeded, `idle` when nothing is
    left. A loop that polls may only ever call `mark`, once for each poll that was answered.
    """

    def __init__(self, name: str, limit_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._name = name
        self._limit_s = limit_s
        self._clock = clock
        self._begun = False
        self._waiting_since_s: float | None = None  # None while idle.

    def busy(self) -> None:
        """Say that work is in hand; the time of a loop that is busy already runs on."""
        self._begun = True
        if self._waiting_since_s is None:
            self._waiting_since_s = self._clock()

    def mark(self) -> None:
        """Say that a step succeeded and that the next one is due within the limit."""
        self._begun = True
        self._waiting_since_s = self._clock()

    def idle(self) -> None:
        """Say that nothing is left to do."""
        self._begun = True
        self._waiting_since_s = None

    def check(self) -> Readiness:
        """Return whether the loop gets anywhere; to be given to `Process.ready_when`."""
        if not self._begun:
            return Readiness(ready=False, reason=f"{self._name} has not begun")
        if self._waiting_since_s is None:
            return READY
        waited_s = self._clock() - self._waiting_since_s
        if waited_s <= self._limit_s:
            return READY
        return Readiness(ready=False, reason=f"{self._name} got nothing done for {waited_s:.1f} s")
