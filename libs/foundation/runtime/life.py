"""The life of a process as a state machine: it only ever moves on, and its end is bounded."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from time import monotonic
from typing import Final

from msgspec import Struct


class Phase(StrEnum):
    """Where a process is in its life."""

    STARTING = "starting"
    ACCEPTING = "accepting"
    DRAINING = "draining"
    DRAINED = "drained"
    ENDING = "ending"


NEXT: Final[Mapping[Phase, frozenset[Phase]]] = {
    Phase.STARTING: frozenset({Phase.ACCEPTING, Phase.ENDING}),
    Phase.ACCEPTING: frozenset({Phase.DRAINING, Phase.ENDING}),
    Phase.DRAINING: frozenset({Phase.DRAINED, Phase.ENDING}),
    Phase.DRAINED: frozenset({Phase.ENDING}),
    Phase.ENDING: frozenset(),
}


class IllegalStep(RuntimeError):
    """A bug in the caller: a life does not go back, and skips nothing."""

    def __init__(self, current: Phase, wanted: Phase) -> None:
        super().__init__(f"a process that is {current} cannot become {wanted}")


class DrainState(Struct, frozen=True, kw_only=True):
    """What can be told about the end: why it was asked for, what it waits for, how long yet."""

    phase: Phase
    draining: bool
    reason: str | None
    waiting_for: Sequence[str]
    since_s: float | None
    left_s: float | None


class Life:
    """Accepts work in parts, and is drained when each part has ended after it was asked to."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._parts: dict[int, str] = {}
        self._asked_at_s: float | None = None
        self._deadline_s: float | None = None
        self.phase = Phase.STARTING
        self.reason: str | None = None

    @property
    def is_asked_to_end(self) -> bool:
        return self.reason is not None

    @property
    def waiting_for(self) -> list[str]:
        """The parts that have not ended."""
        return sorted(self._parts.values())

    def accept(self, parts: Sequence[str]) -> None:
        """Say that everything is open and these parts are at work."""
        self._become(Phase.ACCEPTING)
        self._parts = dict(enumerate(parts))

    def ask_to_end(self, reason: str, limit_s: float) -> bool:
        """Begin the drain; only the first to ask gives its reason, and the bound stands.

        A process that starts has accepted nothing and drains nothing.
        """
        if self.is_asked_to_end or self.phase is Phase.ENDING:
            return False
        self.reason = reason
        self._asked_at_s = self._clock()
        self._deadline_s = self._asked_at_s + limit_s
        if self.phase is Phase.ACCEPTING:
            self._become(Phase.DRAINING)
            self._drained_if_nothing_is_left()
        return True

    def part_ended(self, part: int) -> None:
        """Note that a part has ended; with the last one a process that drains is drained."""
        del self._parts[part]
        self._drained_if_nothing_is_left()

    def end(self) -> None:
        """Say that no work is left, or none is waited for any more."""
        if self.phase is not Phase.ENDING:
            self._become(Phase.ENDING)

    def state(self) -> DrainState:
        now_s = self._clock()
        asked_at_s, deadline_s = self._asked_at_s, self._deadline_s
        return DrainState(
            phase=self.phase,
            draining=self.phase in {Phase.DRAINING, Phase.DRAINED, Phase.ENDING},
            reason=self.reason,
            waiting_for=self.waiting_for if self.is_asked_to_end else [],
            since_s=None if asked_at_s is None else round(now_s - asked_at_s, 3),
            left_s=None if deadline_s is None else round(max(0.0, deadline_s - now_s), 3),
        )

    def _drained_if_nothing_is_left(self) -> None:
        if self.phase is Phase.DRAINING and not self._parts:
            self._become(Phase.DRAINED)

    def _become(self, wanted: Phase) -> None:
        if wanted not in NEXT[self.phase]:
            raise IllegalStep(self.phase, wanted)
        self.phase = wanted
