"""A loop is ready while it is idle or gets something done."""

from libs.foundation.runtime import Progress


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def rig() -> tuple[Clock, Progress]:
    clock = Clock()
    return clock, Progress("relay", limit_s=10, clock=clock)


def test_a_loop_that_has_not_begun_is_not_ready() -> None:
    _, progress = rig()

    assert progress.check() == (False, "relay has not begun")


def test_a_loop_is_ready_within_the_limit_of_its_last_step() -> None:
    clock, progress = rig()
    progress.mark()

    clock.now_s += 10
    assert progress.check().ready

    clock.now_s += 2
    assert progress.check() == (False, "relay got nothing done for 12.0 s")

    progress.mark()
    assert progress.check().ready


def test_an_idle_loop_stays_ready() -> None:
    clock, progress = rig()
    progress.mark()
    progress.idle()

    clock.now_s += 10_000

    assert progress.check().ready


def test_the_time_of_a_loop_that_gets_more_work_runs_on() -> None:
    clock, progress = rig()
    progress.idle()
    clock.now_s += 1_000

    progress.busy()
    assert progress.check().ready
    clock.now_s += 6
    progress.busy()
    clock.now_s += 6

    assert not progress.check().ready
