"""The stack that the end-to-end tests of one run share: real servers, every process, supervised."""

import fcntl
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO

import psutil
import psycopg

from deploy.local import state as recorded
from deploy.local.database_url import with_login
from deploy.local.identity import ProcessIdentity
from deploy.local.layout import ROOT, Layout, layout_in
from deploy.local.leftovers import remove_storage
from deploy.local.ports import LOOPBACK
from deploy.local.state import Phase, StackState
from libs.testkit.eventually import eventually
from libs.testkit.test_run import remove_leftovers

# Beside the ports that the launcher and the other tests draw from, and below those of clients:
# nobody listens here until a test starts its collector.
_COLLECTOR_PORTS: Final = range(32_001, 32_768)
_LEASE_HOLDER: Final = """
    SELECT holder FROM messaging.relay_leases WHERE expires_at > clock_timestamp()"""
_RESTART_S: Final = 60.0
_DEPLOY: Final = (sys.executable, "-m", "deploy.local")
_TRACING: Final = ("API", "RELAY", "WORKER")


class RunningStack:
    """A stack of another process: its addresses, and the faults that tests inject."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        variables = _variables(layout.environment.read_text())
        self.api_url = variables["ORDERLY_API_URL"]
        self.database_url = variables["ORDERLY_DATABASE_URL"]
        self.superuser_url = _superuser_url(layout, self.database_url)
        self.kafka_bootstrap = variables["ORDERLY_KAFKA_BOOTSTRAP"]
        self.simulator_url = variables["ORDERLY_PAYMENT_SIMULATOR_URL"]
        self.issuer_url = variables["ORDERLY_ISSUER_URL"]
        self.staff_token = variables["ORDERLY_STAFF_TOKEN"]
        self.customer_token = variables["ORDERLY_CUSTOMER_TOKEN"]
        self.collector_port = int(_collector_file(layout).read_text())

    async def active_relay(self) -> str:
        """Wait until one relay holds the lease, and return its name."""
        name = await eventually(self._leader, lambda leader: leader is not None)
        assert name is not None
        return name

    def kill(self, name: str) -> None:
        """Kill a process as a crash would; its supervisor starts it again."""
        assert self._process(name).send(signal.SIGKILL)

    def pid(self, name: str) -> int:
        return self._process(name).pid

    def terminate(self, name: str) -> int:
        """Ask a process to drain, and return its pid; its supervisor starts another one."""
        process = self._process(name)
        assert process.send(signal.SIGTERM)
        return process.pid

    async def ended(self, name: str, pid: int) -> None:
        """Wait until this process is gone."""
        await eventually(lambda: not psutil.pid_exists(pid), within_s=_RESTART_S)

    async def replaced(self, name: str, pid: int) -> None:
        """Wait until a process has ended, and another one is ready in its place."""
        await eventually(
            self._state,
            lambda state: (
                (one := state.processes[name]).phase is Phase.READY
                and one.process is not None
                and one.process.pid != pid
            ),
            within_s=_RESTART_S,
        )

    def end_of(self, name: str) -> tuple[str | None, list[dict[str, Any]]]:
        """Return how the process before this one ended, and what it has logged."""
        log = self._layout.log(name).with_suffix(".previous.log")
        lines = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]
        return self._state().processes[name].last_failure, lines

    def started(self, name: str) -> dict[str, Any]:
        """Return the first line that the process of this moment has logged."""
        return json.loads(self._layout.log(name).read_text().splitlines()[0])

    @contextmanager
    def frozen(self, name: str) -> Generator[None]:
        """Stop a process as a machine that hangs would: its connections stay open."""
        process = self._process(name)
        # PostgreSQL answers from children of its own.
        frozen = [process.pid, *(child.pid for child in psutil.Process(process.pid).children())]
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in frozen:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    @asynccontextmanager
    async def outage(self, name: str) -> AsyncGenerator[None]:
        """Kill a process, and let it be started again only at the end of the block."""
        killed = self._process(name)
        supervisor = self._state().supervisor
        assert supervisor.send(signal.SIGSTOP)
        try:
            assert killed.send(signal.SIGKILL)
            await eventually(lambda: not killed.alive)
            yield
        finally:
            supervisor.send(signal.SIGCONT)

    async def repaired(self) -> None:
        """Wait until every process that was killed is ready again."""
        await eventually(self._unready, lambda unready: unready == [], within_s=_RESTART_S)

    def _leader(self) -> str | None:
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(_LEASE_HOLDER).fetchone()
        pid = None if row is None else int(row[0].rsplit(":", 2)[1])
        processes = self._state().processes.items()
        return next(
            (name for name, one in processes if one.process and one.process.pid == pid), None
        )

    def _unready(self) -> list[str]:
        return [
            name
            for name, one in self._state().processes.items()
            if one.phase is not Phase.READY or one.process is None or not one.process.alive
        ]

    def _process(self, name: str) -> ProcessIdentity:
        process = self._state().processes[name].process
        assert process is not None
        return process

    def _state(self) -> StackState:
        state = recorded.load(self._layout)
        assert state is not None
        return state


@contextmanager
def shared_stack(folder: Path, *settings: str) -> Generator[RunningStack]:
    """Start the stack in `folder`, or join it; whoever leaves it last stops it.

    `settings` are variables of its processes, each `NAME=value`.
    """
    layout = layout_in(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users").open("w") as users:
        with held(folder / "start"):
            fcntl.flock(users, fcntl.LOCK_SH)
            if not layout.environment.exists():
                _up(layout, settings)
        try:
            yield RunningStack(layout)
        finally:
            with held(folder / "start"):
                if _is_last(users):
                    _down(layout)


@contextmanager
def held(path: Path, *, shared: bool = False) -> Generator[None]:
    """Hold a lock between the worker processes of one run."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def _up(layout: Layout, variables: Sequence[str]) -> None:
    remove_leftovers()
    port = _free_collector_port()
    _collector_file(layout).write_text(str(port))
    settings = [f"--set={variable}" for variable in variables]
    for prefix in _TRACING:
        settings += [
            f"--set={prefix}_PROCESS_OTLP_ENDPOINT=http://{LOOPBACK}:{port}",
            # Only requests that say so themselves are recorded.
            f"--set={prefix}_PROCESS_TRACE_SAMPLE_RATIO=0",
        ]
    _deploy("up", layout, *settings)


def _down(layout: Layout) -> None:
    _deploy("down", layout)
    remove_storage(layout)


def _deploy(command: str, layout: Layout, *options: str) -> None:
    done = subprocess.run(
        [*_DEPLOY, command, f"--folder={layout.folder}", *options],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _is_last(users: TextIO) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _superuser_url(layout: Layout, url: str) -> str:
    """Return the DSN of the role that reads even what people must not."""
    password = (layout.postgres / "cluster" / "superuser_password").read_text()
    return with_login(url, "postgres", password)


def _variables(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in pairs}


def _collector_file(layout: Layout) -> Path:
    return layout.folder / "collector-port"


def _free_collector_port() -> int:
    for port in random.SystemRandom().sample(_COLLECTOR_PORTS, k=len(_COLLECTOR_PORTS)):
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) != 0:
                return port
    raise OSError(f"no free port in {_COLLECTOR_PORTS}")
