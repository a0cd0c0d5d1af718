"""The whole API under generated requests, over HTTP: what it answers is what it documents."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Final, cast

import httpx
import pytest

from libs.domain.orders.order_examples import EXAMPLES
from libs.testkit.callers import Callers
from libs.testkit.databases import Database
from tests.e2e.api.conftest import api_process, product

CONFIGURATION: Final = Path(__file__).with_name("schemathesis.toml")
# For a longer run: `make fuzz`.
EXAMPLES_MAX: Final = os.environ.get("ORDERLY_FUZZ_EXAMPLES", "5")
# Whoever signs with it is believed; nothing that is generated is signed.
SECRET: Final = "whsec_c2VjcmV0IG9mIG5vIGdlbmVyYXRlZCB3ZWJob29r"
SEED: Final = os.environ.get("ORDERLY_FUZZ_SEED", "20261126")


@pytest.mark.slow
@pytest.mark.timeout(int(EXAMPLES_MAX) * 60)
async def test_every_answer_to_generated_requests_is_documented(
    database: Database, tmp_path: Path
) -> None:
    settings = {"API_SIMULATOR_WEBHOOK_SECRETS": SECRET}
    async with api_process(database, tmp_path, settings) as (_, port):
        url = f"http://127.0.0.1:{port}"
        token = Callers(tmp_path).token("staff-1", "staff")
        await stock_the_shop(url, token)

        status, output = await fuzz(url, tmp_path, token)

    sys.stdout.write(output)
    assert status == 0, output
    assert int(re.findall(r"(\d+) generated", output)[0]) > 500, output
    assert "Stateful" in output


async def stock_the_shop(url: str, token: str) -> None:
    """Sell what the examples of the document order, so that they are accepted."""
    headers = {"Authorization": f"Bearer {token}", "If-None-Match": "*"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        answer = await client.put("/v1/products/TEE-M-BLK", json=product())
        assert answer.status_code == 201
        placed = await client.post(
            "/v1/orders",
            json=EXAMPLES["catalogue_prices"],
            headers={"Idempotency-Key": "fuzz"},
        )
        assert placed.status_code == 201, placed.text


async def described(url: str, folder: Path) -> Path:
    """Write the document down, without patterns of texts whose length is bounded as well.

    Texts of both are found by trial: the longest one of some pattern takes minutes. What breaks a
    pattern is in the tables of tests.
    """
    async with httpx.AsyncClient(base_url=url) as client:
        document = (await client.get("/openapi.json")).json()
    file = folder / "openapi.json"
    file.write_text(json.dumps(without_patterns(document)))
    return file


def without_patterns(part: Any) -> Any:  # noqa: ANN401 - any part of a document.
    if isinstance(part, list):
        return [without_patterns(each) for each in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    members = cast("dict[str, Any]", part)
    dropped = "pattern" if "maxLength" in members else None
    return {name: without_patterns(each) for name, each in members.items() if name != dropped}


async def fuzz(url: str, folder: Path, token: str) -> tuple[int, str]:
    """Run every phase against the API, and return the exit status and what was said."""
    document = await described(url, folder)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIGURATION}", "run"),
        *(str(document), f"--url={url}", f"--max-examples={EXAMPLES_MAX}", f"--seed={SEED}"),
        *(f"--header=Authorization: Bearer {token}", "--workers=1"),
        *("--checks=all", "--exclude-checks=positive_data_acceptance"),
        *("--phases=examples,coverage,fuzzing,stateful", "--no-color", "--warnings=off"),
        *("--max-response-time=5", "--suppress-health-check=all", "--continue-on-failure"),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()
