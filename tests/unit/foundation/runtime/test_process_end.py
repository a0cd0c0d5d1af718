"""How a process ends: asked to, twice, too slowly, or because its work failed."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

SPECIMEN = Path(__file__).with_name("specimen.py")
ROOT = Path(__file__).resolve().parents[4]
LIMIT_S = 30


class Child:
    """A running specimen and the log lines read from it so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[dict[str, Any]] = []

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    def line(self, event: str) -> dict[str, Any]:
        return next(line for line in self.lines if line["event"] == event)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def until(self, event: str) -> None:
        while event not in self.events:
            assert await self._read(), f"the process ended without {event}: {self.events}"

    async def exit_code(self) -> int:
        while await self._read():
            pass
        return await self._process.wait()

    async def errors(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()

    async def _read(self) -> bool:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if line:
            self.lines.append(json.loads(line))
        return bool(line)


@asynccontextmanager
async def specimen(*arguments: str) -> AsyncGenerator[Child]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        SPECIMEN,
        *arguments,
        env={"PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            yield Child(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_the_process_ends_well(number: signal.Signals) -> None:
    async with specimen("obedient", "obedient") as child:
        await child.until("process_started")

        child.signal(number)

        assert await child.exit_code() == 0
        assert [event for event in child.events if event != "drain_part_ended"][-5:] == [
            "drain_asked",
            "work_ended",
            "work_ended",
            "drain_finished",
            "process_ended",
        ]
        assert child.line("drain_asked")["reason"] == number.name


async def test_work_that_does_not_end_is_interrupted_and_reported() -> None:
    async with specimen("deaf", "obedient") as child:
        await child.until("process_started")

        child.signal(signal.SIGTERM)

        assert await child.exit_code() == 1
        assert child.events[-5:] == [
            "drain_asked",
            "work_ended",
            "drain_part_ended",
            "work_interrupted",
            "process_crashed",
        ]
        assert (
            "still at work when the drain's time was over: deaf"
            in (child.line("process_crashed")["exception"])
        )


async def test_a_second_signal_ends_the_process_at_once() -> None:
    async with specimen("deaf") as child:
        await child.until("process_started")

        child.signal(signal.SIGTERM)
        await child.until("drain_asked")
        child.signal(signal.SIGTERM)

        assert await child.exit_code() == 128 + signal.SIGTERM
        assert child.events[-1] == "process_forced_to_exit"


async def test_a_crash_of_one_piece_of_work_ends_the_process_with_an_error() -> None:
    async with specimen("deaf", "crashing") as child:
        assert await child.exit_code() == 1

        assert child.events[-2:] == ["work_interrupted", "process_crashed"]
        assert "the disk is on fire" in child.line("process_crashed")["exception"]
        assert child.line("process_crashed")["level"] == "error"


async def test_work_that_returns_unasked_ends_the_process_with_an_error() -> None:
    async with specimen("deaf", "returning") as child:
        assert await child.exit_code() == 1

        crash = child.line("process_crashed")["exception"]
        assert "returning ended before the process was asked to stop" in crash


async def test_a_process_that_still_starts_ends_well_when_asked_to() -> None:
    async with specimen("never-starting") as child:
        await child.until("process_starting")

        child.signal(signal.SIGTERM)

        assert await child.exit_code() == 0
        assert child.events[-2:] == ["drain_asked", "process_ended"]


@pytest.mark.parametrize("hanging", ["blocking", "unclosable"])
async def test_a_process_that_hangs_at_its_end_is_killed(hanging: str) -> None:
    async with specimen(hanging) as child:
        await child.until("process_started")

        child.signal(signal.SIGTERM)

        assert await child.exit_code() == 70
        assert child.events[-1] == "process_hung_at_end"


async def test_the_first_line_tells_build_settings_and_where_the_side_port_is() -> None:
    async with specimen("obedient") as child:
        await child.until("process_started")
        first = child.lines[0]

        async with aiohttp.ClientSession(first["side_url"]) as client:
            metrics = await (await client.get("/metrics")).text()
            ready = await (await client.get("/readyz")).json()
            await client.post("/drainz")

        assert first["event"] == "process_starting"
        assert first["settings"]["drain_timeout_ms"] == 500
        assert ready == {"ready": True, "reasons": []}
        assert "process_ready 1.0" in metrics
        build = f'build_info{{commit="{first["commit"]}",process="specimen"'
        assert build in metrics
        assert await child.exit_code() == 0
        assert child.line("drain_asked")["reason"] == "POST /drainz"


async def test_a_wrong_configuration_is_told_in_full_with_its_own_exit_code() -> None:
    async with specimen("misconfigured") as child:
        assert await child.exit_code() == 78

        errors = await child.errors()
        assert "X_PORT is missing: expected an integer" in errors
        assert "Traceback" not in errors
