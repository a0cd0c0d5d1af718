"""Runs one row of the table of processes."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deploy.local import launch, ports
from deploy.local.health import answers_ok
from deploy.local.launch import Program, StartFailed
from deploy.local.layout import ROOT
from deploy.local.processes import PREFIXES, Addresses, Process

_COMMAND_S: Final = 60.0


class Service(Program):
    """One of Orderly's processes, on a side port that it keeps over restarts."""

    def __init__(self, process: Process, log: Path, environment: Mapping[str, str]) -> None:
        super().__init__(process.name, log)
        self._process = process
        side_port = ports.free_port()
        self.side_url = f"http://{ports.LOOPBACK}:{side_port}"
        self._environment = {**environment, f"{process.prefix}PROCESS_SIDE_PORT": str(side_port)}

    async def spawn(self) -> None:
        self.child = launch.start(
            _command(self._process), self.log, environment=self._environment, directory=ROOT
        )

    async def ready(self) -> bool:
        return await answers_ok(f"{self.side_url}/readyz")


async def run_to_end(process: Process, log: Path, environment: Mapping[str, str]) -> None:
    """Run a command of the table; one that fails, or takes too long, raises StartFailed."""
    child = launch.start(_command(process), log, environment=environment, directory=ROOT)
    try:
        async with asyncio.timeout(_COMMAND_S):
            status = await asyncio.to_thread(child.wait)
    except TimeoutError:
        raise StartFailed(process.name, f"did not end within {_COMMAND_S:.0f} s", log) from None
    finally:
        child.kill()
    if status != 0:
        raise StartFailed(process.name, f"ended with status {status}", log)


def environment_of(
    process: Process,
    addresses: Addresses,
    inherited: Mapping[str, str],
    overrides: Mapping[str, str],
) -> dict[str, str]:
    """Return the caller's variables, the row's, and those overrides that concern the process."""
    return {
        **{name: text for name, text in inherited.items() if not name.startswith(PREFIXES)},
        **{name: addresses.fill(text) for name, text in process.environment.items()},
        **{name: text for name, text in overrides.items() if name.startswith(process.prefix)},
    }


def _command(process: Process) -> list[str]:
    return [sys.executable, "-m", process.module, *process.arguments]
