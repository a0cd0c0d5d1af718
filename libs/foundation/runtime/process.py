"""One process from its start to its end: what it waits for, when it is ready, how it drains."""

import asyncio
import gc
import os
from collections.abc import Collection, Coroutine, Sequence
from threading import Timer
from typing import Any, Final

from libs.foundation.observability.logs import get_logger
from libs.foundation.runtime.interruption import interrupt
from libs.foundation.runtime.life import DrainState, Life, Phase
from libs.foundation.runtime.loop_lag import watch_loop_lag
from libs.foundation.runtime.readiness import Check
from libs.foundation.settings import ProcessSettings

_log: Final = get_logger(__name__)

_GARBAGE_THRESHOLD: Final = 50_000
_EXIT_CODE_HUNG: Final = 70
_EXIT_CODE_OF_SIGNAL: Final = 128

Work = Coroutine[Any, Any, None]


class EndedEarly(RuntimeError):
    """Work of a process returned although nobody asked it to: the process would be half dead."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} ended before the process was asked to stop")


class CannotStart(Exception):
    """A person must change something first: neither waiting nor starting again would help."""


class DrainTimedOut(RuntimeError):
    """Work did not end in the time the drain allows; it was interrupted."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"still at work when the drain's time was over: {', '.join(names)}")


class Process:
    """What the side port shows and signals act on; made by `service`."""

    def __init__(self, name: str, settings: ProcessSettings) -> None:
        self.name = name
        self.stopping = asyncio.Event()
        """Set when work should end; whatever runs until then waits for it or looks at it."""
        self._settings = settings
        self.draining = asyncio.Event()
        """Set as soon as the end is asked for; `stopping` follows, after the drain's delay."""
        self._main = asyncio.current_task()
        self._life = Life()
        self._interrupted: set[int] = set()
        self._is_started = False
        self._checks: list[Check] = []
        self._exit_timer: Timer | None = None

    @property
    def phase(self) -> Phase:
        return self._life.phase

    @property
    def is_started(self) -> bool:
        return self._is_started

    @property
    def was_stopped_at_start(self) -> bool:
        """Whether the process was asked to end before it ran."""
        return self._life.is_asked_to_end and self.phase is Phase.STARTING

    def ready_when(self, check: Check) -> None:
        """Add a condition of readiness; the check is asked often and must answer from memory."""
        self._checks.append(check)

    def reasons_not_ready(self) -> list[str]:
        """Return why the process should not be given work; empty when it should."""
        phase = [] if self.phase is Phase.ACCEPTING else [f"the process is {self.phase}"]
        checked = [reason for check in self._checks if (reason := _reason(check)) is not None]
        return phase + checked

    def started(self) -> None:
        """Say that everything is open; called by `run_until_stopped` if not before."""
        if self._is_started:
            return
        self._is_started = True
        # What lives now lives to the end: no later collection needs to walk it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GARBAGE_THRESHOLD)
        _log.info("process_started")

    def drain_state(self) -> DrainState:
        """Tell how far the end is, for operators and machines."""
        return self._life.state()

    def ask_to_drain(self, reason: str) -> None:
        """Begin the end: not ready first, then `stopping`; a process that starts is cancelled."""
        was, limit_ms = self.phase, self._settings.drain_timeout_ms
        if not self._life.ask_to_end(reason, limit_ms / 1_000):
            return
        _log.info("drain_asked", reason=reason, phase=was, limit_ms=limit_ms)
        self.draining.set()
        self._bound_end(limit_ms + self._settings.closing_timeout_ms)
        if was is Phase.STARTING and self._main is not None:
            self._main.cancel()

    def on_signal(self, number: int, name: str) -> None:
        """Drain at the first signal; leave at once at the second."""
        if self.draining.is_set():
            _log.error("process_forced_to_exit", signal=name)
            os._exit(_EXIT_CODE_OF_SIGNAL + number)
        self.ask_to_drain(name)

    async def run_until_stopped(self, *work: Work, interruptible: Sequence[Work] = ()) -> None:
        """Run all work until the process is asked to stop, then drain.

        Each piece of work ends by itself when `stopping` is set. One that raises, or returns
        earlier, ends the whole process with an error; one still at it when the drain's time is
        over is cancelled. `interruptible` work loses nothing when it is cancelled: still at it
        after half of the drain's time, because it waits for a server that does not answer, it is
        interrupted, and that is no failure.
        """
        self.started()
        every = [*work, *interruptible]
        names = [_name(each) for each in every]
        self._life.accept(names)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._watch(part, each), name=names[part])
                    for part, each in enumerate(every)
                ]
                lag = group.create_task(watch_loop_lag())
                await self.draining.wait()
                await self._drain(tasks, range(len(work), len(every)))
                lag.cancel()
        finally:
            self.begin_closing()

    def begin_closing(self) -> None:
        """Say that work is over; what is open has a bounded time to close."""
        self._life.end()
        self._bound_end(self._settings.closing_timeout_ms)

    def unbound_end(self) -> None:
        """Take the bound back: the process has ended well."""
        if self._exit_timer is not None:
            self._exit_timer.cancel()

    def _bound_end(self, limit_ms: int) -> None:
        """Kill the process if it lives longer than this, even with a loop that is blocked."""
        self.unbound_end()
        self._exit_timer = Timer(limit_ms / 1_000, _give_up, [limit_ms])
        self._exit_timer.daemon = True
        self._exit_timer.start()

    async def _watch(self, part: int, work: Work) -> None:
        try:
            await work
        except (Exception, asyncio.CancelledError) as error:
            if part not in self._interrupted:
                raise
            _log.info("drain_part_interrupted", part=_name(work), error=type(error).__name__)
        if not self.draining.is_set():
            raise EndedEarly(_name(work))
        self._life.part_ended(part)
        _log.info("drain_part_ended", part=_name(work), since_s=self._life.state().since_s)

    async def _drain(
        self, tasks: Sequence[asyncio.Task[None]], interruptible: Collection[int]
    ) -> None:
        delay_ms = self._settings.drain_delay_ms
        await asyncio.sleep(delay_ms / 1_000)
        self.stopping.set()
        half_s = (self._settings.drain_timeout_ms - delay_ms) / 2_000
        _, pending = await _wait(tasks, half_s)
        self._interrupted |= {part for part in interruptible if tasks[part] in pending}
        await interrupt(*(tasks[part] for part in self._interrupted))
        _, pending = await _wait(pending, half_s)
        if pending:
            raise DrainTimedOut(sorted(task.get_name() for task in pending))
        _log.info("drain_finished", since_s=self._life.state().since_s)


Tasks = Collection[asyncio.Task[None]]


async def _wait(tasks: Tasks, timeout_s: float) -> tuple[Tasks, Tasks]:
    return await asyncio.wait(tasks, timeout=timeout_s) if tasks else ((), ())


def _reason(check: Check) -> str | None:
    try:
        readiness = check()
    except Exception as error:  # noqa: BLE001  # A check that fails must not hide the others.
        return f"a readiness check raised {type(error).__name__}"
    return None if readiness.ready else readiness.reason


def _name(work: Work) -> str:
    return getattr(work, "__qualname__", repr(work))


def _give_up(limit_ms: int) -> None:
    _log.critical("process_hung_at_end", limit_ms=limit_ms)
    os._exit(_EXIT_CODE_HUNG)
