"""A rate leaves starting up out, for every contender alike."""

import pytest

from deploy.local.launch import Program
from libs.testkit.eventually import eventually
from loadtests.benchmarks.drain import Seen, TooSlow, rate_of, watch


class _Ended:
    def poll(self) -> int:
        return 1


class _Worker(Program):
    async def spawn(self) -> None: ...

    async def ready(self) -> bool:
        return True


def test_the_rate_runs_from_the_first_look_that_saw_something() -> None:
    seen = [Seen(0.0, 0), Seen(5.0, 0), Seen(6.0, 100), Seen(7.0, 600), Seen(8.0, 1_100)]

    assert rate_of(seen) == 500


def test_what_was_done_between_two_looks_took_that_long_at_most() -> None:
    assert rate_of([Seen(1.0, 0), Seen(1.5, 100)]) == 200


def test_nothing_done_has_no_rate() -> None:
    with pytest.raises(ValueError, match="nothing was done"):
        rate_of([Seen(1.0, 0)])


def test_what_was_done_before_the_first_look_has_no_rate() -> None:
    with pytest.raises(ValueError, match="before the first look"):
        rate_of([Seen(1.0, 100)])


async def test_work_that_takes_too_long_is_an_error_with_how_far_it_came() -> None:
    async def count() -> int:
        return 3

    with pytest.raises(TooSlow, match="3 of 10"):
        await watch(count, 10, limit_s=0.05)


async def test_a_worker_that_ends_too_early_is_an_error_at_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    worker = _Worker("relay", tmp_path_factory.mktemp("logs") / "relay.log")
    worker.child = _Ended()  # pyright: ignore[reportAttributeAccessIssue] - a child that ended.

    async def count() -> int:
        return 3

    with pytest.raises(TooSlow, match="relay ended with 3 of 10"):
        await watch(count, 10, limit_s=60, worker=worker)


async def test_watching_ends_when_all_is_done() -> None:
    counts = iter((0, 4, 10))

    async def count() -> int:
        return next(counts)

    seen = await eventually(lambda: watch(count, 10, limit_s=5, poll_s=0))

    assert [each.done for each in seen] == [0, 4, 10]
