"""A whole run of the benchmarks, too small to say anything about speed."""

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.local import identity
from deploy.local.layout import ROOT, STACK_VARIABLE
from libs.testkit.eventually import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "bench"


async def start(folder: Path, rows: str, **variables: str) -> asyncio.subprocess.Process:
    environment = {
        **os.environ,
        "BENCH_QUICK": "tiny",
        "BENCH_FOLDER": str(folder),
        "ONLY": rows,
        **variables,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loadtests.benchmarks",
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


def read(folder: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


def left_running(folder: Path) -> list[int]:
    found = identity.started_with_variable(STACK_VARIABLE, str(folder.resolve()))
    return [process.pid for process in found]


async def test_two_rows_are_measured_from_servers_to_report(folder: Path) -> None:
    bench = await start(folder, "relay_pinned_xmin,worker_vs_pgbench", PATH=_path_without_wrk())
    output, _ = await bench.communicate()

    assert bench.returncode == 0, output.decode()
    report = read(folder)
    assert set(report["ratios"]) == {"relay_pinned_xmin", "worker_vs_pgbench"}
    assert all(ratio > 0 for ratio in report["ratios"].values()), output.decode()
    samples = {each["name"]: each["samples"] for each in report["contenders"]}
    assert {name: len(of) for name, of in samples.items()} == {
        "relay": 2,
        "relay_pinned": 2,
        "worker": 2,
        "pgbench_worker": 2,
    }
    html = (folder / "report.html").read_text()
    assert all(row in html for row in report["ratios"])
    assert left_running(folder) == []


async def test_a_missing_generator_is_named_and_the_run_fails(folder: Path) -> None:
    # An empty PATH hides wrk and what could install it.
    bench = await start(folder, "api_vs_hello", PATH=_path_without_wrk())
    output, _ = await bench.communicate()

    assert bench.returncode == 1, output.decode()
    report = read(folder)
    assert report["ratios"] == {"api_vs_hello": None}
    (row,) = report["rows"]
    assert all("wrk is not installed" in reason for reason in row["result"]["reasons"])
    assert "wrk is not installed" in (folder / "report.html").read_text()


async def test_an_unknown_row_is_refused_before_anything_starts(folder: Path) -> None:
    bench = await start(folder, "nonsense")
    output, _ = await bench.communicate()

    assert bench.returncode == 2
    assert "no row is called nonsense" in output.decode()
    assert not folder.exists()


async def test_an_interrupted_run_leaves_no_process_and_no_data(folder: Path) -> None:
    bench = await start(folder, "worker_vs_pgbench")
    await eventually(lambda: len(left_running(folder)) >= 2, within_s=60)

    bench.send_signal(signal.SIGINT)
    await bench.communicate()

    assert bench.returncode == 130
    assert left_running(folder) == []
    assert not (folder / "postgres").exists()
    assert not (folder / "report.json").exists()


def _path_without_wrk() -> str:
    """Return a PATH on which neither wrk nor apt-get is found."""
    return str(Path(shutil.which("env") or "/usr/bin/env").parent / "nothing")
