"""Runs a service as a child process that a test may kill, pause and read the output of."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from deploy.local import launch
from deploy.local.health import answers_ok
from deploy.local.ports import LOOPBACK
from libs.testkit.test_run import current

_ROOT: Final = Path(__file__).parents[2]
_END_S: Final = 30.0


class ServiceProcess(launch.Program):
    """One running child; every method names the fault it injects."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], log: Path, side_port: int
    ) -> None:
        super().__init__(" ".join(command[1:]), log)
        self._command = command
        self._environment = environment
        self.side_url = f"http://{LOOPBACK}:{side_port}"

    async def spawn(self) -> None:
        self.child = launch.start(
            self._command,
            self.log,
            environment={**os.environ, **self._environment},
            directory=_ROOT,
        )

    async def ready(self) -> bool:
        return await answers_ok(f"{self.side_url}/readyz")

    @property
    def pid(self) -> int:
        return self._running.pid

    def pause(self) -> None:
        """Stop it as a frozen machine would: its sockets stay open and nothing answers."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """Kill it, even while it is paused; it cannot clean up."""
        self._running.kill()
        await self.ends()

    async def terminate(self) -> int | None:
        """Ask it to drain, and return its exit status."""
        self._running.terminate()
        return await self.ends()

    async def ends(self, within_s: float = _END_S) -> int | None:
        """Wait for its end, and return its exit status; a signal's is negative."""
        async with asyncio.timeout(within_s):
            return await self.ended()

    def output(self) -> str:
        """Return what it has written so far."""
        return self.log.read_text(errors="replace")

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self.child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self.child


@asynccontextmanager
async def running(
    module: str,
    *arguments: str,
    environment: Mapping[str, str],
    side_port: int,
    ready: bool = True,
) -> AsyncGenerator[ServiceProcess]:
    """Start `python -m module arguments`, await its `/readyz`, and leave no process behind.

    `side_port` must be the one that `environment` gives it. With `ready=False` the child is
    handed over at once, for tests of a start that fails or waits.
    """
    log = current(os.environ).folder / "log" / f"{module}.{uuid4().hex[:8]}.log"
    command = [sys.executable, "-m", module, *arguments]
    service = ServiceProcess(command, environment, log, side_port)
    try:
        await service.spawn()
        if ready:
            await service.until_ready()
        yield service
    finally:
        if service.identity is not None:
            await service.kill()
