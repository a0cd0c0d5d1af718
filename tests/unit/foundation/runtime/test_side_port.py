"""The side port tells how a process is, and lets this machine drain it."""

import asyncio
import gc
import socket
from collections.abc import AsyncGenerator, Generator
from typing import Any

import aiohttp
import pytest

from libs.foundation.runtime import Phase, Process, Readiness
from libs.foundation.runtime.side_port import open_side_port
from libs.foundation.settings import ProcessSettings

SETTINGS = ProcessSettings(side_port=0, drain_timeout_ms=5_000)
TIMEOUT = aiohttp.ClientTimeout(total=10)


class Rig:
    """A process that is not started yet, and its side port."""

    def __init__(self, process: Process, client: aiohttp.ClientSession) -> None:
        self.process = process
        self.client = client
        self.readiness = Readiness(ready=True)
        self._running: asyncio.Task[None] | None = None

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        async with self.client.get(path) as response:
            return response.status, await response.json()

    async def post_drain(self, **headers: str) -> tuple[int, dict[str, Any]]:
        async with self.client.post("/drainz", headers=headers) as response:
            return response.status, await response.json()

    async def start(self) -> None:
        self._running = asyncio.create_task(self.process.run_until_stopped(self._work()))
        async with asyncio.timeout(10):
            while self.process.phase is not Phase.ACCEPTING:
                await asyncio.sleep(0)

    async def end(self) -> None:
        if self._running is not None:
            self.process.ask_to_drain("the test is over")
            await self._running
        self.process.unbound_end()

    async def _work(self) -> None:
        await self.process.stopping.wait()


@pytest.fixture(autouse=True)
def unfrozen() -> Generator[None]:
    """Undo what a start does to the garbage collector: the process of the tests goes on."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.fixture
async def rig() -> AsyncGenerator[Rig]:
    process = Process("specimen", SETTINGS)
    async with (
        open_side_port(process, SETTINGS) as url,
        aiohttp.ClientSession(url, timeout=TIMEOUT) as client,
    ):
        rig = Rig(process, client)
        process.ready_when(lambda: rig.readiness)
        yield rig
        await rig.end()


async def test_a_starting_process_lives_but_is_neither_started_nor_ready(rig: Rig) -> None:
    status, alive = await rig.get("/livez")

    assert status == 200
    assert alive["process"] == "specimen"
    assert {"version", "commit"} < alive.keys()
    assert await rig.get("/startupz") == (503, {"started": False})
    assert await rig.get("/readyz") == (
        503,
        {"ready": False, "reasons": ["the process is starting"]},
    )


async def test_a_running_process_is_ready_when_every_check_passes(rig: Rig) -> None:
    await rig.start()

    assert await rig.get("/startupz") == (200, {"started": True})
    assert await rig.get("/readyz") == (200, {"ready": True, "reasons": []})


async def test_each_failing_check_gives_its_reason_and_one_that_raises_hides_none(
    rig: Rig,
) -> None:
    await rig.start()

    def broken() -> Readiness:
        raise KeyError("private")

    rig.process.ready_when(broken)
    rig.readiness = Readiness(ready=False, reason="the broker is away")

    assert await rig.get("/readyz") == (
        503,
        {
            "ready": False,
            "reasons": ["the broker is away", "a readiness check raised KeyError"],
        },
    )
    assert (await rig.get("/livez"))[0] == 200


async def test_a_drain_asked_for_here_turns_readiness_red_and_ends_the_work(rig: Rig) -> None:
    await rig.start()
    status, before = await rig.get("/drainz")
    assert (status, before["phase"], before["draining"]) == (200, "accepting", False)

    status, after = await rig.post_drain()
    assert status == 202
    assert (after["phase"], after["draining"], after["reason"]) == (
        "draining",
        True,
        "POST /drainz",
    )
    assert after["waiting_for"] == ["Rig._work"]
    assert 0 < after["left_s"] <= 5

    async with asyncio.timeout(10):
        await rig.process.stopping.wait()
    status, readiness = await rig.get("/readyz")
    assert status == 503
    assert readiness["reasons"][0].startswith("the process is ")
    assert (await rig.get("/livez"))[0] == 200


async def test_a_web_page_cannot_drain_the_process(rig: Rig) -> None:
    await rig.start()

    status, _ = await rig.post_drain(Origin="https://elsewhere.example")

    assert status == 403
    assert rig.process.phase is Phase.ACCEPTING


async def test_another_machine_cannot_drain_the_process() -> None:
    settings = ProcessSettings(side_port=0, side_host="0.0.0.0")  # As in a cluster.
    process = Process("specimen", settings)
    async with open_side_port(process, settings) as url:
        port = url.rpartition(":")[2]
        address = _address_beyond_loopback()
        async with aiohttp.ClientSession(f"http://{address}:{port}", timeout=TIMEOUT) as client:
            response = await client.post("/drainz")

    assert response.status == 403


def _address_beyond_loopback() -> str:
    # Connecting a datagram socket sends nothing; it only picks the address that would be used.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has only its loopback")
        return probe.getsockname()[0]


async def test_metrics_are_served_in_the_text_format(rig: Rig) -> None:
    await rig.start()

    async with rig.client.get("/metrics") as response:
        text = await response.text()

    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert "# HELP event_loop_lag_max_seconds" in text
    assert "# HELP build_info" in text
    assert "# HELP process_ready" in text


async def test_other_paths_and_methods_are_refused(rig: Rig) -> None:
    async with rig.client.get("/elsewhere") as response:
        assert response.status == 404
    async with rig.client.post("/readyz") as response:
        assert response.status == 405
