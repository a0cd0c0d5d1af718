"""The life of a process, walked in every order: it moves on, ends in time, and loses no part."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from libs.foundation.runtime.life import NEXT, IllegalStep, Life, Phase

ORDER = [Phase.STARTING, Phase.ACCEPTING, Phase.DRAINING, Phase.DRAINED, Phase.ENDING]


class LifeMachine(RuleBasedStateMachine):
    """Knows, beside the life, what was done to it, and compares."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 100.0
        self.life = Life(clock=lambda: self.now_s)
        self.at_work: set[int] = set()
        self.first_reason: str | None = None
        self.asked_at_s = 0.0
        self.limit_s = 0.0
        self.furthest = 0

    @precondition(lambda self: self.life.phase is Phase.STARTING)
    @rule(parts=st.integers(min_value=0, max_value=4))
    def accepts(self, parts: int) -> None:
        self.life.accept([f"part-{number}" for number in range(parts)])
        self.at_work = set(range(parts))

    @rule(
        reason=st.sampled_from(["SIGTERM", "SIGINT", "POST /drainz"]),
        limit_s=st.floats(min_value=0, max_value=60),
    )
    def is_asked_to_end(self, reason: str, limit_s: float) -> None:
        was_first = self.first_reason is None and self.life.phase is not Phase.ENDING

        assert self.life.ask_to_end(reason, limit_s) is was_first

        if was_first:
            self.first_reason, self.limit_s, self.asked_at_s = reason, limit_s, self.now_s

    @precondition(lambda self: bool(self.at_work) and self.life.phase is not Phase.ENDING)
    @rule(data=st.data())
    def a_part_ends(self, data: st.DataObject) -> None:
        part = data.draw(st.sampled_from(sorted(self.at_work)))
        self.life.part_ended(part)
        self.at_work.discard(part)

    @rule()
    def ends(self) -> None:
        self.life.end()

    @rule(seconds=st.floats(min_value=0, max_value=30))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def nothing_goes_back(self) -> None:
        if self.life.phase is Phase.STARTING:
            return
        try:
            self.life.accept(["again"])
        except IllegalStep as error:
            assert str(self.life.phase) in str(error)  # noqa: PT017 - only some phases refuse.
        else:
            raise AssertionError(self.life.phase)

    @invariant()
    def it_only_moves_on(self) -> None:
        place = ORDER.index(self.life.phase)
        assert place >= self.furthest
        self.furthest = place

    @invariant()
    def it_drains_only_when_asked_and_is_drained_only_when_no_part_is_left(self) -> None:
        if self.life.phase in {Phase.DRAINING, Phase.DRAINED}:
            assert self.first_reason is not None
            assert (self.life.phase is Phase.DRAINED) == (not self.at_work)

    @invariant()
    def it_tells_the_first_reason_what_it_waits_for_and_a_bound(self) -> None:
        state = self.life.state()
        assert state.reason == self.first_reason
        if self.first_reason is None:
            assert (state.left_s, state.since_s, list(state.waiting_for)) == (None, None, [])
            return
        assert state.left_s is not None
        assert 0 <= state.left_s <= self.limit_s + 0.001  # It is rounded to milliseconds.
        assert len(state.waiting_for) == len(self.at_work)
        if self.now_s - self.asked_at_s >= self.limit_s:
            assert state.left_s == 0


TestLife = LifeMachine.TestCase


def test_every_phase_leads_to_the_end_and_none_leads_back() -> None:
    for phase, following in NEXT.items():
        assert all(ORDER.index(after) > ORDER.index(phase) for after in following)
        assert phase is Phase.ENDING or Phase.ENDING in following
