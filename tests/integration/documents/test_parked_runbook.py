"""The commands of the runbook "Parked messages" are given one after the other, as they stand."""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Final

import pytest

from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from tests.integration.messaging.consumer_toys import Toys, definition
from tests.integration.messaging.parked_toys import CAUSE, ParkedToys

ROOT: Final = Path(__file__).parents[3]
OWNER: Final = "toys-worker"
_COMMAND: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ORDERLY: Final = f'orderly() {{ "{sys.executable}" -m services.operator "$@"; }}\n'


def commands() -> list[str]:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = text.partition("\n## Parked messages\n")[2].partition("\n## ")[0]
    return _COMMAND.findall(section)


@pytest.fixture
def parked(database: Database) -> ParkedToys:
    return ParkedToys(Toys(database, "nowhere"), OWNER)


class Operator:
    """Gives the runbook's commands in their order."""

    def __init__(self, parked: ParkedToys) -> None:
        self._commands = commands()
        self._variables = {
            "OPERATOR_DATABASE_URL": parked.toys.database.url_for("orderly_operator"),
            "FINGERPRINT": CAUSE,
            "OWNER": parked.owner,
            "TOPIC": parked.topic,
            "KEY": "k1",
            "COLUMNS": "200",
        }

    async def next(self, words: str, **variables: str) -> str:
        """Give the next command, which must have `words`, and return what it prints."""
        command = self._commands.pop(0)
        assert words in command
        process = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", _ORDERLY + command,
            cwd=ROOT,
            env={**os.environ, **self._variables, **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
        return output.decode()

    def pass_over_until(self, words: str) -> None:
        """Leave out the commands before the first that has `words`."""
        while words not in self._commands[0]:
            self._commands.pop(0)

    def is_done(self) -> bool:
        return not self._commands


async def test_the_runbook_leads_from_the_list_to_the_audit(parked: ParkedToys) -> None:
    for key in ("k1", "k2", "k3"):
        parked.park(key, [1, 2])
    give = Operator(parked).next
    async with parked.running(definition(OWNER, [])):
        assert CAUSE in await give("list --by fingerprint")
        assert "k2" in await give("list --fingerprint")
        assert "1. message" in await give("show")
        assert "2 handled" in await give("retry")
        assert "dry run: retry 2 keys" in await give("--dry-run")
        assert "2 keys: 2 done" in await give("--yes")
        assert await parked.parked_keys() == []

        parked.park("k1", [3, 4])
        assert "leaves a gap" in await give("skip")
        assert "1 left out for ever" in await give("skip")
        assert "sent twice by hand" in await give("audit list")
        ((request,),) = await parked.toys.rows(
            "SELECT id::text FROM messaging.operator_requests WHERE verb = 'skip'"
        )
        assert "1 handled" in await give("audit show", REQUEST=request)

    assert await parked.toys.effects_of("k1") == [1, 2, 4]


async def test_the_runbook_lets_a_stopped_process_park_again(parked: ParkedToys) -> None:
    while parked.budget.take():
        pass
    operator = Operator(parked)
    operator.pass_over_until("resume")

    async with parked.running(definition(OWNER, [])):
        told = "SELECT count(*) FROM messaging.parking_stops"
        await eventually(lambda: parked.toys.rows(told), lambda rows: rows == [(1,)])
        assert "parking goes on in processes: 1" in await operator.next("resume")

    assert not parked.budget.exhausted
    assert operator.is_done()
