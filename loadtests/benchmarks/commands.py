"""Runs a program to its end and tells what it printed and how much CPU it took."""

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from time import perf_counter

from msgspec import Struct

from deploy.local.layout import ROOT


class CommandFailed(Exception):
    """A program ended with an error, or not in time."""


class Finished(Struct, frozen=True, kw_only=True):
    """What a program printed, and what it took; `cpu_s` includes its children."""

    output: str
    seconds: float
    cpu_s: float

    @property
    def cores(self) -> float:
        return self.cpu_s / self.seconds


async def run_to_end(
    command: Sequence[str], *, environment: Mapping[str, str], limit_s: float
) -> Finished:
    """Run `command` and wait; it is killed when the time is over or the caller is cancelled."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started_s = perf_counter()
        child = subprocess.Popen(  # noqa: ASYNC220 - asyncio's own does not tell the CPU it took.
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=ROOT,
            env=dict(environment),
            start_new_session=True,
        )
        waiting = asyncio.ensure_future(asyncio.to_thread(os.wait4, child.pid, 0))
        try:
            async with asyncio.timeout(limit_s):
                _, status, usage = await asyncio.shield(waiting)
        except TimeoutError:
            raise CommandFailed(f"{command[0]} did not end within {limit_s:.0f} s") from None
        finally:
            if not waiting.done():
                os.killpg(child.pid, signal.SIGKILL)
                await waiting
            # wait4 has taken the status: Popen must not look for it again.
            child.returncode = os.waitstatus_to_exitcode(waiting.result()[1])
        seconds = perf_counter() - started_s
        if status != 0:
            errors.seek(0)
            tail = errors.read().decode(errors="replace")[-600:]
            raise CommandFailed(f"{command[0]} ended with status {child.returncode}: {tail}")
        output.seek(0)
        return Finished(
            output=output.read().decode(errors="replace"),
            seconds=seconds,
            cpu_s=usage.ru_utime + usage.ru_stime,
        )
