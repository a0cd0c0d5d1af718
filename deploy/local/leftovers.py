"""Ends the processes of a stack and removes its storage, whatever state a crash left them in."""

import fcntl
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from deploy.local import identity
from deploy.local.account import remove_folder
from deploy.local.layout import STACK_VARIABLE, Layout
from deploy.local.postgres import PostgresServer
from deploy.local.state import StackState

_SERVICES_S: Final = 25.0
_SERVERS_S: Final = 15.0
_SERVERS: Final = ("postgres", "kafka")


class AlreadyRunning(Exception):
    """Another supervisor runs the stack in this folder."""


@contextmanager
def alone(layout: Layout) -> Generator[None]:
    """Hold the folder's lock; the kernel frees it when this process ends, however it ends."""
    layout.folder.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyRunning(f"a stack already runs in {layout.folder}") from error
        yield


async def end_processes(layout: Layout, state: StackState | None) -> None:
    """Stop services before servers, as recorded; then whatever else carries the stack's mark.

    A child that was started just before the supervisor was killed is not recorded.
    """
    processes = state.processes if state else {}
    running = {name: one.process for name, one in processes.items() if one.process is not None}
    services = [process for name, process in running.items() if name not in _SERVERS]
    await identity.stop(services, _SERVICES_S)
    if "postgres" in running:
        await identity.stop([running["postgres"]], _SERVERS_S, first=PostgresServer.stop_signal)
    marked = identity.started_with_variable(STACK_VARIABLE, str(layout.folder))
    await identity.stop(marked, _SERVERS_S)


def forget(layout: Layout) -> None:
    """Remove what says that a stack runs here."""
    layout.environment.unlink(missing_ok=True)
    layout.state.unlink(missing_ok=True)


def remove_storage(layout: Layout) -> None:
    """Remove the data of servers and services, so that the next start is the first."""
    remove_folder(layout.postgres)
    for folder in (layout.kafka, layout.services):
        shutil.rmtree(folder, ignore_errors=True)
