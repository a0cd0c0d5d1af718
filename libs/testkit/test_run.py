"""Shares one pair of servers among the worker processes of one test run."""

import asyncio
import fcntl
import os
import shutil
import uuid
from collections.abc import Coroutine, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import msgspec

from deploy.local import account, identity
from libs.testkit import providers
from libs.testkit.databases import DatabaseServer
from libs.testkit.providers import Provider, Servers

RUN_VARIABLE: Final = "ORDERLY_TEST_RUN"
_RUNS: Final = Path(__file__).parents[2] / "var" / "test"
_STOP_S: Final = 10.0
Result = TypeVar("Result")


class TestRun:
    """One `pytest` command: a folder below var/test, made by the process that was started first."""

    __test__ = False  # pytest would take the name for a class of tests.

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.name = folder.name
        self._environ = environ
        self._alive: TextIO | None = None

    @classmethod
    def begin(cls, environ: Mapping[str, str]) -> "TestRun":
        """Make the folder and lock it until this process ends, however it ends."""
        name = uuid.uuid4().hex[:8]
        unfinished = _RUNS / f".{name}"
        unfinished.mkdir(parents=True)
        alive = (unfinished / "alive").open("w")
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Visible only once locked: another run must not take it for a leftover.
        run = cls(unfinished.rename(_RUNS / name), environ)
        run._alive = alive
        return run

    def servers(self) -> Servers:
        """Return the run's servers; the first process that asks starts them."""
        described = self.folder / "servers.json"
        with self._locked("servers"):
            if not described.exists():
                remove_leftovers()
                started = in_own_loop(providers.start(self._environ, self.folder, print))
                described.write_bytes(msgspec.json.encode(started))
        return msgspec.json.decode(described.read_bytes(), type=Servers)

    def database_server(self) -> DatabaseServer:
        """Return the PostgreSQL server, with the migrated template on it."""
        server = DatabaseServer(self.servers().database_url, self.name)
        migrated = self.folder / "template"
        with self._locked("template"):
            if not migrated.exists():
                server.make_template()
                migrated.touch()
        return server

    def end(self) -> None:
        """Stop what this run started, drop what it made; called by the process that began it."""
        described = self.folder / "servers.json"
        if described.exists():
            servers = msgspec.json.decode(described.read_bytes(), type=Servers)
            if servers.provider is Provider.SERVERS:
                server = DatabaseServer(servers.database_url, self.name)
                server.drop_all()
                server.close()
        _remove(self.folder)
        if self._alive is not None:
            self._alive.close()

    @contextmanager
    def _locked(self, name: str) -> Generator[None]:
        with (self.folder / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def current(environ: Mapping[str, str]) -> TestRun:
    """Return the run that the first process has put into the environment of this one."""
    return TestRun(Path(environ[RUN_VARIABLE]), environ)


def remove_leftovers() -> None:
    """Stop the servers of runs that were killed, and remove their folders."""
    for folder in _RUNS.glob("[!.]*"):
        with suppress(OSError), (folder / "alive").open() as alive:
            # Raises while the run's first process lives: the kernel frees the lock when it dies.
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(folder)


def _remove(folder: Path) -> None:
    """Stop every process that was started for the run, and remove the folder."""
    started = identity.started_with_variable(RUN_VARIABLE, str(folder))
    others = [process for process in started if process.pid != os.getpid()]
    in_own_loop(identity.stop(others, _STOP_S))
    # A stack's folder lies one deeper than the folders of single servers.
    for entry in (*folder.glob("*"), *folder.glob("*/*")):
        if entry.is_symlink():
            account.remove_folder(entry)
    shutil.rmtree(folder)


def in_own_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """Run `work` in a thread of its own: the caller's thread may belong to a test's event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
