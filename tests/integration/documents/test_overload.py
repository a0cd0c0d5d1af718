"""The commands of the runbooks "Overload" and "Rolling restart" run against a running process."""

import asyncio
import os
import re
from pathlib import Path
from typing import Final

from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from tests.e2e.api.conftest import api_process

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "operations.md"
_COMMAND: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(heading: str) -> list[str]:
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return _COMMAND.findall(section)


async def run(command: str, side_url: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", command,
        env={**os.environ, "SIDE_URL": side_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_what_the_overload_runbook_looks_at_is_there(
    database: Database, tmp_path: Path
) -> None:
    (look,) = commands("Overload")
    async with api_process(database, tmp_path) as (process, _):
        seen = await run(look, process.side_url)

    for name in (
        "admission_shed_share 0.0",
        'admission_reading{signal="outbox_age"}',
        'admission_reading{signal="outbox_bytes"}',
        'admission_reading{signal="open_work_age"}',
        'admission_reading{signal="unanswered"}',
        "http_requests_in_flight",
    ):
        assert name in seen


async def test_the_restart_runbook_drains_a_process_and_tells_how_far_it_is(
    database: Database, tmp_path: Path
) -> None:
    drain, state = commands("Rolling restart")
    async with api_process(database, tmp_path, {"API_PROCESS_DRAIN_DELAY_MS": "3000"}) as (
        process,
        _,
    ):
        asked = await run(drain, process.side_url)
        told = await run(state, process.side_url)
        await eventually(process.output, lambda output: "process_ended" in output)

    assert '"phase":"draining"' in asked
    assert '"reason":"POST /drainz"' in told
    assert '"waiting_for":["serve"]' in told
