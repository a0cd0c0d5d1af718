"""A deadline bounds a task and every call it makes."""

import asyncio

import pytest

from libs.foundation.resilience.deadline import Deadline, DeadlineExceeded


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_remaining_time_falls_with_the_clock_and_then_raises() -> None:
    clock = Clock()
    deadline = Deadline.after_ms(2_000, clock)

    clock.now_s += 0.5
    assert deadline.remaining_s() == 1.5
    assert not deadline.passed

    clock.now_s += 1.5
    assert deadline.passed
    with pytest.raises(DeadlineExceeded):
        deadline.remaining_s()


def test_the_deadline_of_one_call_is_never_later_than_the_whole() -> None:
    clock = Clock()
    whole = Deadline.after_ms(1_000, clock)

    assert whole.at_most_ms(300).remaining_s() == pytest.approx(0.3)
    assert whole.at_most_ms(9_000).remaining_s() == pytest.approx(1.0)


async def test_a_block_is_cancelled_when_the_time_is_over() -> None:
    cancelled = False

    async def forever() -> None:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled = True
            raise

    with pytest.raises(DeadlineExceeded):
        async with Deadline.after_ms(1).enforced():
            await forever()

    assert cancelled


async def test_a_block_never_begins_after_the_deadline() -> None:
    clock = Clock()
    deadline = Deadline.after_ms(10, clock)
    clock.now_s += 1
    begun = False

    with pytest.raises(DeadlineExceeded):
        async with deadline.enforced():
            begun = True

    assert not begun


async def test_a_timeout_of_the_block_itself_is_not_taken_for_the_deadline() -> None:
    with pytest.raises(TimeoutError) as caught:
        async with Deadline.after_ms(60_000).enforced():
            raise TimeoutError("the socket's own")

    assert not isinstance(caught.value, DeadlineExceeded)


async def test_a_cancellation_from_outside_passes_through() -> None:
    entered = asyncio.Event()

    async def work() -> None:
        async with Deadline.after_ms(60_000).enforced():
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
