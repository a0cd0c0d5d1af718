"""Status verbs of the `orderly` command, with a reader's and an operator's rights."""

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


async def test_the_outbox_s_status_counts_rows_and_bytes_by_topic(database: Database) -> None:
    await write(database, "toys.events", NUMBERED)
    await write(database, "toys.others", NUMBERED[:20])

    code, status = await as_json(database, "outbox", "status")
    _, text = await asked(database, "outbox", "status")

    assert code == 0
    assert [(each["topic"], each["rows"]) for each in status["topics"]] == [
        ("toys.events", 100),
        ("toys.others", 20),
    ]
    assert status["bytes"] == sum(each["bytes"] for each in status["topics"]) > 2_000
    assert (status["estimated_rows"], status["is_complete"]) == (120, True)
    assert (status["published_per_s"], status["drain_s"]) == (None, None)
    assert "unpublished: 120 rows" in text
    assert "through in unknown" in text


async def test_the_outbox_s_status_knows_the_rate_of_publishing(database: Database) -> None:
    await write(database, "toys.events", NUMBERED)
    recorder = Recorder()
    async with relaying_with_requests(prompt_relay(database, NOWHERE), recorder):
        await recorder.until(lambda: len(recorder.rows) == 100)
        await eventually(
            lambda: rows(database, "SELECT sum(passed_rows) FROM messaging.outbox_cursor"),
            lambda found: found == [(100,)],
        )

    _, status = await as_json(database, "outbox", "status")

    assert status["published_per_s"] == pytest.approx(100 / 30)
    assert (status["rows"], status["drain_s"]) == (0, 0.0)


async def test_the_relay_s_status_names_the_leader_and_counts_who_stands_by(
    database: Database,
) -> None:
    nobody = await asked(database, "relay", "status")
    settings = prompt_relay(database, NOWHERE)
    async with relaying_with_requests(settings, Recorder()):
        await eventually(
            lambda: rows(database, "SELECT epoch FROM messaging.relay_leases"),
            lambda found: found == [(1,)],
        )
        async with relaying_with_requests(settings, Recorder()):
            code, status = await eventually(
                lambda: as_json(database, "relay", "status"),
                lambda found: found[1]["standbys"] == 1,
            )

    assert nobody[0] == 1
    assert "nobody holds the lease" in nobody[1]
    assert code == 0
    assert (status["is_held"], status["epoch"], status["problem"]) == (True, 1, None)
    assert status["renewed_s"] < 2


async def test_a_cursor_of_another_database_is_a_matter_for_a_person(database: Database) -> None:
    with psycopg.connect(database.url) as owner:
        owner.execute("UPDATE messaging.outbox_cursor SET system_identifier = 'elsewhere'")
    await write(database, "toys.events", NUMBERED[:3])

    code, output = await asked(database, "relay", "status")
    dry_run = await as_json(database, "outbox", "reanchor")

    assert code == 78
    assert "Remedy: Stop the relay of the other database" in output
    assert dry_run[0] == 0
    assert (dry_run[1]["needed"], dry_run[1]["rows"]) == (True, 3)
    assert await rows(database, "SELECT FROM messaging.operator_requests") == []


async def test_a_reanchor_that_is_not_needed_says_so_before_anybody_asks(
    database: Database,
) -> None:
    code, output = await asked(database, "outbox", "reanchor")

    assert (code, output) == (
        0,
        "dry run: not needed: the cursor belongs to this database\n",
    )


async def test_consumers_are_shown_as_unknown_while_the_brokers_are_away(
    database: Database,
) -> None:
    with psycopg.connect(database.url) as owner:
        owner.execute(
            "INSERT INTO messaging.parked_keys (consumer, topic, key, reason)"
            " SELECT 'orders-worker', 'payments.events', n::text, 'x'"
            " FROM generate_series(1, 20) AS n"
        )
        owner.execute(
            "INSERT INTO messaging.parking_stops (consumer, process, keys_max)"
            " VALUES ('orders-worker', 'host:1', 20)"
        )

    code, status = await as_json(database, "consumers", "status", "--sample-s", "0.1")
    _, text = await asked(database, "consumers", "status", "--sample-s", "0.1")

    assert code == 0
    assert "the brokers do not answer" in status["broker_problem"]
    found = {each["name"]: each for each in status["consumers"]}
    assert set(found) == {"orders-worker", "inventory-worker", "payments-worker"}
    assert found["orders-worker"]["topics"] is None
    assert (found["orders-worker"]["parked_keys"], found["orders-worker"]["parking_stopped"]) == (
        20,
        True,
    )
    assert found["inventory-worker"]["parked_keys"] == 0
    assert not found["inventory-worker"]["parking_stopped"]
    assert "unknown" in text


async def test_partitions_are_shown_and_a_lack_of_them_is_told_by_the_exit_code(
    database: Database,
) -> None:
    well = await as_json(database, "partitions")
    with psycopg.connect(database.url) as owner:
        owner.execute("CREATE TABLE messaging.trap PARTITION OF messaging.outbox DEFAULT")
    trapped = await as_json(database, "partitions")
    with psycopg.connect(database.url) as owner:
        owner.execute("DROP TABLE messaging.trap; DROP TABLE messaging.outbox_cursor")
        owner.execute(
            "CREATE TABLE messaging.outbox_cursor (at timestamptz) PARTITION BY RANGE (at)"
        )
    code, output = await asked(database, "partitions")

    assert well[0] == 0
    tables = {table["name"]: table for table in well[1]["tables"]}
    assert set(tables) == {"messaging.inbox", "messaging.outbox", "messaging.outbox_cursor"}
    assert tables["messaging.outbox"]["ahead_s"] > 23 * 3_600
    assert tables["messaging.inbox"]["behind_s"] > 8 * 86_400
    assert tables["messaging.inbox"]["gaps"] == []
    assert trapped[0] == 1
    assert code == 1
    assert "messaging.outbox_cursor" in output
