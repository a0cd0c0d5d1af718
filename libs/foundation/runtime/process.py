"""One process from its start to its end: what it waits for, when it is ready, how it drains."""

import asyncio
import gc
import os
from collections.abc import Coroutine, Sequence
from enum import StrEnum
from threading import Timer
from typing import Any, Final

from libs.foundation.observability.logs import get_logger
from libs.foundation.runtime.loop_lag import watch_loop_lag
from libs.foundation.runtime.readiness import Check
from libs.foundation.settings import ProcessSettings

_log: Final = get_logger(__name__)

_GARBAGE_THRESHOLD: Final = 50_000
_EXIT_CODE_HUNG: Final = 70
_EXIT_CODE_OF_SIGNAL: Final = 128

Work = Coroutine[Any, Any, None]


class Phase(StrEnum):
    """Where a process is in its life; it only ever moves on."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"
    ENDING = "ending"


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
        self._main = asyncio.current_task()
        self._phase = Phase.STARTING
        self._is_started = False
        self._drain_asked = asyncio.Event()
        self._checks: list[Check] = []
        self._exit_timer: Timer | None = None

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def is_started(self) -> bool:
        return self._is_started

    @property
    def was_stopped_at_start(self) -> bool:
        """Whether the process was asked to end before it ran."""
        return self._drain_asked.is_set() and self._phase is Phase.STARTING

    def ready_when(self, check: Check) -> None:
        """Add a condition of readiness; the check is asked often and must answer from memory."""
        self._checks.append(check)

    def reasons_not_ready(self) -> list[str]:
        """Return why the process should not be given work; empty when it should."""
        phase = [] if self._phase is Phase.RUNNING else [f"the process is {self._phase}"]
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

    def ask_to_drain(self, reason: str) -> None:
        """Begin the end: not ready first, then `stopping`; a process that starts is cancelled."""
        if self._drain_asked.is_set():
            return
        _log.info("drain_asked", reason=reason, phase=self._phase)
        self._drain_asked.set()
        self._bound_end(self._settings.drain_timeout_ms + self._settings.closing_timeout_ms)
        if self._phase is Phase.STARTING and self._main is not None:
            self._main.cancel()
        elif self._phase is Phase.RUNNING:
            self._phase = Phase.DRAINING

    def on_signal(self, number: int, name: str) -> None:
        """Drain at the first signal; leave at once at the second."""
        if self._drain_asked.is_set():
            _log.error("process_forced_to_exit", signal=name)
            os._exit(_EXIT_CODE_OF_SIGNAL + number)
        self.ask_to_drain(name)

    async def run_until_stopped(self, *work: Work) -> None:
        """Run `work` until the process is asked to stop, then drain.

        Each piece of work ends by itself when `stopping` is set. One that raises, or returns
        earlier, ends the whole process with an error; one still at it when the drain's time is
        over is cancelled.
        """
        self.started()
        self._phase = Phase.RUNNING
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._watch(each), name=_name(each)) for each in work]
                lag = group.create_task(watch_loop_lag())
                await self._drain_asked.wait()
                await self._drain(tasks)
                lag.cancel()
        finally:
            self.begin_closing()

    def begin_closing(self) -> None:
        """Say that work is over; what is open has a bounded time to close."""
        self._phase = Phase.ENDING
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

    async def _watch(self, work: Work) -> None:
        await work
        if not self._drain_asked.is_set():
            raise EndedEarly(_name(work))

    async def _drain(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        delay_ms = self._settings.drain_delay_ms
        await asyncio.sleep(delay_ms / 1_000)
        self.stopping.set()
        if tasks:
            left_s = (self._settings.drain_timeout_ms - delay_ms) / 1_000
            _, pending = await asyncio.wait(tasks, timeout=left_s)
            if pending:
                raise DrainTimedOut(sorted(task.get_name() for task in pending))
        _log.info("drain_finished")


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
