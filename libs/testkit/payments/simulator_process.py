"""Runs the payment simulator as a process of its own, as a deployment would."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import aiohttp
from msgspec import Struct

_ROOT: Final = Path(__file__).resolve().parents[3]
_START_MAX_S: Final = 30.0


class Entry(Struct, frozen=True, kw_only=True):
    """One authorisation in the simulator's ledger."""

    order_id: str
    amount: int
    live: bool
    status: str
    captured: int
    released: int
    refunded: int


class SimulatorProcess:
    """A running simulator."""

    def __init__(
        self, url: str, process: asyncio.subprocess.Process, session: aiohttp.ClientSession
    ) -> None:
        self.url = url
        self._process = process
        self._session = session

    async def set_faults(self, *faults: Mapping[str, object]) -> None:
        """Put these rules in the place of all others."""
        async with self._session.post(f"{self.url}/v1/faults", json=faults) as response:
            response.raise_for_status()

    async def fault_hits(self) -> list[int]:
        """Return how many requests each rule has spoiled."""
        async with self._session.get(f"{self.url}/v1/faults") as response:
            return [each["hits"] for each in await response.json()]

    async def ledger(self) -> list[Entry]:
        """Read the ledger page by page."""
        entries: list[Entry] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"cursor": cursor, "limit": "500"}
            async with self._session.get(f"{self.url}/v1/ledger", params=query) as response:
                response.raise_for_status()
                page: dict[str, Any] = await response.json()
            entries += [
                Entry(**{name: item[name] for name in Entry.__struct_fields__})
                for item in page["items"]
            ]
            cursor = page["next_cursor"]
        return entries

    async def objects(self) -> list[dict[str, Any]]:
        """Read every authorisation, capture and refund, page by page."""
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"cursor": cursor, "limit": "1000"}
            async with self._session.get(f"{self.url}/v1/objects", params=query) as response:
                response.raise_for_status()
                page: dict[str, Any] = await response.json()
            found += page["items"]
            cursor = page["next_cursor"]
        return found

    async def send_webhook(self, key: UUID) -> None:
        """Make it send the webhook about a key, whatever it sent before."""
        async with self._session.post(f"{self.url}/v1/operations/{key}/webhook") as response:
            response.raise_for_status()

    async def kill(self) -> None:
        """Kill it, as a crash would."""
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def simulator_process(
    ledger_path: Path, port: int = 0, environment: Mapping[str, str] | None = None
) -> AsyncGenerator[SimulatorProcess]:
    """Start the simulator on a free port, and kill it at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.payment_simulator",
        cwd=_ROOT,
        env={
            "SIMULATOR_PORT": str(port),
            "SIMULATOR_PROCESS_SIDE_PORT": "0",
            "SIMULATOR_LEDGER_PATH": str(ledger_path),
            **(environment or {}),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_START_MAX_S):
            url = await _listening(process)
        async with aiohttp.ClientSession() as session:
            yield SimulatorProcess(url, process, session)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _listening(process: asyncio.subprocess.Process) -> str:
    lines: Sequence[bytes] = ()
    while process.stdout is not None and (line := await process.stdout.readline()):
        lines = (*lines, line)
        event: dict[str, str] = json.loads(line)
        if event["event"] == "payment_simulator_listening":
            return event["url"]
    raise RuntimeError(f"the simulator ended before it listened: {lines}")
