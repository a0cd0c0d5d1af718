"""Starts programs of the benchmarks: peers that listen on a port, and jobs that work at once."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import httpx

from deploy.local import launch
from deploy.local.launch import Program
from deploy.local.layout import ROOT
from deploy.local.ports import LOOPBACK

Started = TypeVar("Started", bound=Program)


class Peer(Program):
    """Ready once its port accepts a connection."""

    def __init__(
        self, name: str, command: list[str], environment: Mapping[str, str], port: int, log: Path
    ) -> None:
        super().__init__(name, log)
        self._command = command
        self._environment = environment
        self._port = port

    async def spawn(self) -> None:
        self.child = launch.start(
            self._command, self.log, environment=self._environment, directory=ROOT
        )

    async def ready(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, self._port)
        except OSError:
            return False
        writer.close()
        return True


class Sibling(Peer):
    """Shares the port that another process serves; ready once its side port, `port`, says so."""

    async def ready(self) -> bool:
        try:
            async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{self._port}") as side:
                return (await side.get("/readyz")).is_success
        except httpx.TransportError:
            return False


class Job(Program):
    """Counts as ready from the start: what it does is watched from outside."""

    def __init__(
        self, name: str, command: list[str], environment: Mapping[str, str], log: Path
    ) -> None:
        super().__init__(name, log)
        self._command = command
        self._environment = environment

    async def spawn(self) -> None:
        self.child = launch.start(
            self._command, self.log, environment=self._environment, directory=ROOT
        )

    async def ready(self) -> bool:
        return True


@asynccontextmanager
async def running(program: Started) -> AsyncGenerator[Started]:
    """Start a program, and stop it at the end of the block."""
    try:
        await program.start()
        yield program
    finally:
        await program.stop()


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules."""
    return [sys.executable, "-m", module, *arguments]
