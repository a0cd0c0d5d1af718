"""`orderly replay` and `consumers forget`: a dry run first, then a request with a reason."""

import json

import psycopg
import pytest

from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from tests.integration.messaging.relay_harness import Recorder
from tests.integration.messaging.replay_toys import (
    prompt_relay,
    relaying_with_requests,
    rows,
    write,
)
from tests.integration.operator.asking import NOWHERE, NUMBERED, as_json, asked


async def test_a_replay_is_first_of_all_a_dry_run(database: Database) -> None:
    await write(database, "payments.events", NUMBERED)
    recorder = Recorder()
    async with relaying_with_requests(prompt_relay(database, NOWHERE), recorder):
        await recorder.until(lambda: len(recorder.rows) == 100)
    await write(database, "payments.events", NUMBERED[:1])

    code, found = await as_json(
        database, *("replay", "--topic", "payments.events", "--until", "0s", "--consumer", "new")
    )

    assert code == 0
    assert [(each["chosen"], each["unpublished"]) for each in found["topics"]] == [(100, 1)]
    verdicts = {each["consumer"]: each for each in found["consumers"]}
    assert verdicts["new"]["processed"] == 100
    assert len(verdicts["new"]["samples"]["processed"]) == 5
    assert verdicts["orders-worker"]["skipped"] == 100
    assert await rows(database, "SELECT FROM messaging.operator_requests") == []


async def test_a_replay_is_asked_for_with_a_reason_followed_and_stopped(
    database: Database,
) -> None:
    await write(database, "toys.events", NUMBERED)
    recorder = Recorder()
    settings = prompt_relay(database, NOWHERE, replay_rows_max=80)
    async with relaying_with_requests(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) == 100)

    waiting = await asked(
        database,
        *("replay", "--key", "k1", "--reason", "ticket 7", "--by", "ada", "--wait-s", "0.1"),
    )
    async with relaying_with_requests(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) == 115)
        slow = await asked(
            database,
            *("replay", "--rate-per-s", "1", "--reason", "x", "--wait-s", "0.1", "--json"),
        )
        request = json.loads(slow[1])["id"]
        await recorder.until(lambda: len(recorder.rows) == 195)
        running = await asked(database, "replay", "status", request)
        stopped = await asked(
            database, "replay", "stop", request, "--reason", "enough", "--by", "bob"
        )
        after = await asked(database, "replay", "status", request)
    listed = await as_json(database, "replay", "status")

    assert waiting[0] == 3
    assert "dry run: 15 rows" in waiting[1]
    assert (slow[0], running[0], stopped[0], after[0]) == (3, 3, 0, 1)
    assert "stopped by bob after 80" in after[1]
    assert {(each["verb"], each["reason"], each["touched"]) for each in listed[1]["requests"]} == {
        ("replay", "ticket 7", 15),
        ("replay", "x", 80),
    }


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("replay", "--since", "3d", "--reason", "x"), "the outbox keeps rows since"),
        (("replay", "--since", "yesterday"), "is no time"),
        (("replay", "--since", "1m", "--until", "2m"), "is not before"),
        (("consumers", "forget", "toys", "--since", "3d"), "the outbox keeps rows since"),
    ],
)
async def test_what_cannot_be_replayed_is_refused_with_the_reason(
    module_database: Database, arguments: tuple[str, ...], reason: str
) -> None:
    code, output = await asked(module_database, *arguments)

    assert code == 1
    assert output.startswith("refused: ")
    assert reason in output
    assert await rows(module_database, "SELECT FROM messaging.operator_requests") == []


async def test_a_consumer_forgets_after_a_dry_run_and_a_reason(
    database: Database,
) -> None:
    await write(database, "toys.events", NUMBERED)
    recorder = Recorder()
    settings = prompt_relay(database, NOWHERE)
    with psycopg.connect(database.url) as owner:
        owner.execute(
            "INSERT INTO messaging.inbox (consumer, event_id) SELECT 'toys', id"
            " FROM messaging.outbox"
        )
    async with relaying_with_requests(settings, recorder):
        await recorder.until(lambda: len(recorder.rows) == 100)
        await eventually(
            lambda: asked(database, "consumers", "forget", "toys", "--key", "k1"),
            lambda found: found[1].startswith("dry run: toys would forget 15 messages and keep"),
        )
        code, output = await asked(
            database, "consumers", "forget", "toys", "--key", "k1", "--reason", "a bad release"
        )

    assert code == 0
    assert "finished: 15 marks were forgotten" in output
    assert len(await rows(database, "SELECT FROM messaging.inbox")) == 85
    request = "SELECT verb, reason, row_selection->>'consumer' FROM messaging.operator_requests"
    assert await rows(database, request) == [("forget", "a bad release", "toys")]
