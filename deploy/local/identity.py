"""Names one operating-system process for good: by its pid and the moment it started."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import psutil
from msgspec import Struct

# The kernel counts in ticks since boot; a corrected clock shifts what that means in seconds.
_START_TOLERANCE_S: Final = 2.0
_POLL_S: Final = 0.02


class ProcessIdentity(Struct, frozen=True):
    """A pid alone is not enough: the kernel hands it out again after the process has died."""

    pid: int
    started_at_s: float

    def find(self) -> psutil.Process | None:
        """Return the process if it still runs; a zombie only waits for its parent."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.started_at_s) > _START_TOLERANCE_S:
                return None
            return None if process.status() == psutil.STATUS_ZOMBIE else process
        except psutil.NoSuchProcess:
            return None

    @property
    def alive(self) -> bool:
        return self.find() is not None

    def send(self, signal_number: signal.Signals) -> bool:
        """Signal the process if it still runs, and say whether it did."""
        process = self.find()
        if process is None:
            return False
        try:
            process.send_signal(signal_number)
        except psutil.NoSuchProcess:
            return False
        return True


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of the process that has `pid` now."""
    try:
        return ProcessIdentity(pid, psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def this_process() -> ProcessIdentity:
    return ProcessIdentity(os.getpid(), psutil.Process().create_time())


async def stop(
    processes: Iterable[ProcessIdentity],
    grace_s: float,
    first: signal.Signals = signal.SIGTERM,
) -> list[ProcessIdentity]:
    """Ask all to end, kill those that do not within `grace_s`, and return the killed ones."""
    asked = [process for process in processes if process.send(first)]
    await _gone(asked, grace_s)
    killed = [process for process in asked if process.send(signal.SIGKILL)]
    await _gone(killed, grace_s)
    return killed


async def _gone(processes: list[ProcessIdentity], within_s: float) -> None:
    ends_at = time.monotonic() + within_s
    # A process that is not our child gives no event to wait for.
    while any(one.alive for one in processes) and time.monotonic() < ends_at:  # noqa: ASYNC110
        await asyncio.sleep(_POLL_S)


def working_in(directory: Path, name: str) -> list[ProcessIdentity]:
    """Find processes called `name` whose working directory is `directory`."""
    wanted = str(directory.resolve())
    return _matching(lambda process: process.name().startswith(name) and process.cwd() == wanted)


def started_with_variable(variable: str, value: str) -> list[ProcessIdentity]:
    """Find processes that were started with the environment variable `variable` set to `value`."""
    return _matching(lambda process: process.environ().get(variable) == value)


def started_with_argument(argument: str) -> list[ProcessIdentity]:
    """Find processes that have `argument` on their command line."""
    return _matching(lambda process: argument in process.cmdline())


def _matching(condition: Callable[[psutil.Process], bool]) -> list[ProcessIdentity]:
    found: list[ProcessIdentity] = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and condition(process):
                found.append(ProcessIdentity(process.pid, process.create_time()))
        except (psutil.Error, OSError):
            # It ended while it was looked at, or belongs to somebody else: not one of ours.
            continue
    return found
