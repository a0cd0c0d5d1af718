"""A program that is run to its end ends, and tells what it took."""

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

from libs.testkit.eventually import eventually
from loadtests.benchmarks.commands import CommandFailed, run_to_end
from loadtests.benchmarks.cpu import CpuWatch

_SPIN = "import time\nwhile time.process_time() < 0.2: pass\nprint('done')"
_FOREVER = (
    "import os, sys, time\n"
    "open(sys.argv[1] + '.new', 'w').write(str(os.getpid()))\n"
    "os.rename(sys.argv[1] + '.new', sys.argv[1])\n"
    "while True: time.sleep(60)"
)


async def test_output_and_cpu_time_are_told() -> None:
    done = await run_to_end((sys.executable, "-c", _SPIN), environment=os.environ, limit_s=60)

    assert done.output == "done\n"
    assert 0.2 <= done.cpu_s <= done.seconds * (os.cpu_count() or 1) + 0.1
    assert done.cores == done.cpu_s / done.seconds


async def test_a_failure_carries_what_the_program_said() -> None:
    command = (sys.executable, "-c", "import sys; sys.exit('out of ink')")

    with pytest.raises(CommandFailed, match="status 1: out of ink"):
        await run_to_end(command, environment=os.environ, limit_s=60)


async def test_a_program_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = (sys.executable, "-c", _FOREVER, str(pid_file))

    running = asyncio.create_task(run_to_end(command, environment=os.environ, limit_s=5))
    pid = await _pid(pid_file)

    with pytest.raises(CommandFailed, match="did not end within 5 s"):
        await running
    assert not psutil.pid_exists(pid)


async def test_cancelling_kills_the_program(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    command = (sys.executable, "-c", _FOREVER, str(pid_file))
    running = asyncio.create_task(run_to_end(command, environment=os.environ, limit_s=60))
    pid = await _pid(pid_file)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not psutil.pid_exists(pid)


def test_cores_are_told_by_group_and_for_the_machine() -> None:
    watch = CpuWatch({"gone": (2**22 + 1,)})

    cores = watch.cores()

    assert set(cores) == {"gone_cores", "bench_cores", "machine_cores"}
    assert cores["gone_cores"] == 0


async def _pid(path: Path) -> int:
    await eventually(path.exists)
    return int(path.read_text())
