"""A stack restarts what dies, says so in its file, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg

from deploy.local import commands, identity
from deploy.local import state as recorded
from deploy.local.layout import ROOT, STACK_VARIABLE, Layout
from deploy.local.processes import Table
from deploy.local.stack import Stack
from deploy.local.state import Phase, StackState
from libs.testkit.eventually import eventually

_START_S = 60.0

# A supervisor in a process of its own, which the test may kill.
_SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from deploy.local.processes import Process, Table
from deploy.local.stack import Stack

async def main():
    row = Process(name="stand-in", module="stand_in", prefix="STANDIN_",
                  environment={"PYTHONPATH": sys.argv[2]})
    async with Stack.started(Path(sys.argv[1]), table=Table(setup=(), processes=(row,))):
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_process_is_started_again_and_the_file_names_the_new_one(
    layout: Layout, table: Table
) -> None:
    async with Stack.started(layout.folder, table=table) as stack:
        killed = stack.pid("stand-in")
        stack.kill("stand-in")
        stack.kill("postgres")

        await eventually(lambda: _restarted(layout, "stand-in") and _restarted(layout, "postgres"))

        assert stack.pid("stand-in") != killed
        lines = layout.environment.read_text().splitlines()
        assert f"ORDERLY_PID_STAND_IN={stack.pid('stand-in')}" in lines
        assert f"ORDERLY_PID_POSTGRES={stack.pid('postgres')}" in lines
        async with await psycopg.AsyncConnection.connect(stack.database_url) as reader:
            row = await (await reader.execute("SELECT current_user")).fetchone()
        assert row == ("orderly_reader",)
    assert not layout.environment.exists()
    assert identity.started_with_variable(STACK_VARIABLE, str(layout.folder)) == []


async def test_down_leaves_no_process_of_a_stack_whose_supervisor_was_killed(
    layout: Layout, table: Table, tmp_path: Path
) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", _SUPERVISOR, str(layout.folder), str(tmp_path)], cwd=ROOT
    )
    await eventually(lambda: _phase(layout) is Phase.READY, within_s=_START_S)
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    state = _state(layout)
    orphans = [one.process for one in state.processes.values() if one.process is not None]

    status = await commands.down(layout, os.environ, [])

    assert status == 0
    assert len(orphans) == 3
    assert [process for process in orphans if process.alive] == []
    assert identity.started_with_variable(STACK_VARIABLE, str(layout.folder)) == []


async def test_a_stack_whose_folder_is_gone_leaves_no_process(
    layout: Layout, table: Table, tmp_path: Path
) -> None:
    aside = tmp_path / "aside"
    async with Stack.started(layout.folder, table=table):
        layout.folder.rename(aside)
    left = identity.started_with_variable(STACK_VARIABLE, str(layout.folder))
    aside.rename(layout.folder)  # Its storage may lie elsewhere, and is removed through it.

    assert left == []


async def test_two_stacks_run_side_by_side(layout: Layout, other_layout: Layout) -> None:
    servers_only = Table(setup=(), processes=())

    async with (
        Stack.started(layout.folder, table=servers_only) as first,
        Stack.started(other_layout.folder, table=servers_only) as second,
    ):
        assert first.database_url != second.database_url
        assert first.kafka_bootstrap != second.kafka_bootstrap
        assert first.pid("kafka") != second.pid("kafka")


def _state(layout: Layout) -> StackState:
    state = recorded.load(layout)
    assert state is not None
    return state


def _phase(layout: Layout) -> Phase | None:
    state = recorded.load(layout)
    return state.phase if state else None


def _restarted(layout: Layout, name: str) -> bool:
    process = _state(layout).processes[name]
    return process.restarts == 1 and process.phase is Phase.READY
