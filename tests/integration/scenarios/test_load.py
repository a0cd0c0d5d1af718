"""A whole run of the smallest scenario, too slow a rate to say anything about speed."""

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from deploy.local import identity
from deploy.local.layout import ROOT, STACK_VARIABLE
from libs.testkit.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "load"


async def start(folder: Path, scenario: str, **variables: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "LOAD_FOLDER": str(folder), "LOAD_SCALE": "0.3", **variables}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loadtests.scenarios",
        scenario,
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


def left_running(folder: Path) -> list[int]:
    servers = str((folder / "servers").resolve())
    found = identity.started_with_variable(STACK_VARIABLE, servers)
    return [process.pid for process in found]


@pytest.mark.skipif(shutil.which("wrk") is None, reason="it is sent by wrk")
async def test_every_order_of_a_smoke_run_is_followed_to_its_end(folder: Path) -> None:
    load = await start(folder, "smoke")
    output, _ = await load.communicate()

    # A busy machine may miss a latency; the run ends either way.
    assert load.returncode in (0, 1), output.decode()
    report = json.loads((folder / "smoke.json").read_text())
    verdicts = {each["name"]: each for each in report["verdicts"]}
    assert verdicts["broken_invariants"]["figure"] == 0
    assert verdicts["lost_share"]["figure"] == 0, output.decode()
    (sent,) = report["outcome"]["sent"]
    stages = {each["stage"]: each["messages"] for each in report["outcome"]["stages"]}
    assert sent["planned"] == 30
    assert stages["placed to confirmed"] >= sent["planned"]
    # Of a confirmed order: three events, two commands, and the announcement that it is confirmed.
    published = {name: count for name, count in stages.items() if name.startswith("published to")}
    assert sum(published.values()) >= 6 * sent["planned"]
    assert (len(published), len(stages)) == (5, 10)
    assert "Load: smoke" in (folder / "smoke.html").read_text()
    assert left_running(folder) == []


@pytest.mark.skipif(shutil.which("wrk") is None, reason="it is sent by wrk")
async def test_an_interrupted_run_leaves_no_process_and_no_report(folder: Path) -> None:
    load = await start(folder, "steady")
    await eventually(lambda: len(left_running(folder)) >= 2, within_s=60)

    load.send_signal(signal.SIGINT)
    await load.communicate()

    assert load.returncode == 130
    assert left_running(folder) == []
    assert not (folder / "steady.json").exists()


async def test_an_unknown_scenario_is_refused_with_those_there_are(folder: Path) -> None:
    load = await start(folder, "nonsense")
    output, _ = await load.communicate()

    assert load.returncode == 2
    assert "hot-sku" in output.decode()
    assert not folder.exists()
