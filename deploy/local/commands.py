"""The commands behind `make up`, `make down` and `make status`."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from deploy.local import identity, launch
from deploy.local import state as recorded
from deploy.local.launch import StartFailed
from deploy.local.layout import ROOT, STACK_VARIABLE, Layout
from deploy.local.leftovers import AlreadyRunning, end_processes, forget
from deploy.local.stack import Stack
from deploy.local.state import Phase, StackState

_POLL_S: Final = 0.05
_SUPERVISOR_S: Final = 60.0


async def run(layout: Layout, environ: Mapping[str, str], settings: Sequence[str]) -> int:
    """Run the stack in the foreground until SIGTERM or Ctrl-C."""
    serving = asyncio.create_task(_serve(layout, environ, settings))
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    asking = asyncio.create_task(asked.wait())
    await asyncio.wait({serving, asking}, return_when=asyncio.FIRST_COMPLETED)
    asking.cancel()
    serving.cancel()  # A second signal while it stops changes nothing: it is only cancelled once.
    try:
        await serving
    except asyncio.CancelledError:
        print("The stack is stopped")
        return 0
    except (AlreadyRunning, StartFailed) as error:
        print(error)
    return 1


async def up(layout: Layout, environ: Mapping[str, str], settings: Sequence[str]) -> int:
    """Start a detached supervisor, show its progress, and return when all is ready."""
    if _supervised(recorded.load(layout)):
        print(f"The stack in {layout.folder} runs already: see `make status`")
        return 0
    options = [f"--set={setting}" for setting in settings]
    command = [sys.executable, "-u", "-m", "deploy.local", "run", f"--folder={layout.folder}"]
    log = layout.log("supervisor")
    supervisor = launch.start([*command, *options], log, environment=environ, directory=ROOT)
    try:
        return await _follow(layout, supervisor)
    except asyncio.CancelledError:
        supervisor.terminate()
        raise


async def down(layout: Layout, environ: Mapping[str, str], settings: Sequence[str]) -> int:
    """Stop the stack, also one whose supervisor was killed, and leave no process."""
    del environ, settings
    state = recorded.load(layout)
    if state is not None:
        await identity.stop([state.supervisor], _SUPERVISOR_S)
    await end_processes(layout, recorded.load(layout))
    forget(layout)
    remaining = identity.started_with_variable(STACK_VARIABLE, str(layout.folder))
    if remaining:
        print(f"still running: {', '.join(str(process.pid) for process in remaining)}")
        return 1
    print("The stack is stopped")
    return 0


async def status(layout: Layout, environ: Mapping[str, str], settings: Sequence[str]) -> int:
    """Print each process; the exit status is 0 only when all are ready."""
    del environ, settings
    state = recorded.load(layout)
    if state is None:
        print("The stack does not run: `make up` starts it")
        return 1
    if not state.supervisor.alive:
        print("The supervisor was killed: `make down` ends what it left, `make up` starts again")
    for name, process in state.processes.items():
        pid = process.process.pid if process.process and process.process.alive else "-"
        line = f"{name:<18} {process.phase:<12} pid {pid!s:<8} restarts {process.restarts:<4}"
        print(f"{line} {layout.log(name)}")
        if process.last_failure is not None:
            print(f"    last failure: {process.last_failure.splitlines()[0]}")
    ready = all(process.phase is Phase.READY for process in state.processes.values())
    return 0 if ready and state.supervisor.alive else 1


async def _serve(layout: Layout, environ: Mapping[str, str], settings: Sequence[str]) -> None:
    overrides = dict(setting.split("=", 1) for setting in settings)
    async with Stack.started(layout.folder, environ, env_overrides=overrides, fresh=False):
        await asyncio.Event().wait()


async def _follow(layout: Layout, supervisor: subprocess.Popen[bytes]) -> int:
    """Print what the supervisor reports until the stack is ready or the supervisor has ended."""
    with layout.log("supervisor").open() as log:
        while True:
            ended = supervisor.poll() is not None
            print(log.read(), end="", flush=True)
            if ended:
                return 1
            if _ready(recorded.load(layout), supervisor.pid):
                print(f"Addresses and pids: {layout.environment}")
                return 0
            await asyncio.sleep(_POLL_S)


def _supervised(state: StackState | None) -> bool:
    return state is not None and state.supervisor.alive


def _ready(state: StackState | None, supervisor: int) -> bool:
    return state is not None and state.supervisor.pid == supervisor and state.phase is Phase.READY
