"""The `orderly` command, run as an operator runs it, with an operator's rights."""

import asyncio
import os
import sys
from pathlib import Path

import psycopg

from libs.foundation.database import migrate
from libs.testkit.databases import Database

ROOT = Path(__file__).parents[3]


async def orderly(*arguments: str, **variables: str) -> tuple[int, str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPERATOR_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.operator",
        *arguments,
        cwd=ROOT,
        env={**environment, "COLUMNS": "200", **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def park(database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("""
            INSERT INTO messaging.parked_keys (consumer, topic, key, reason)
                VALUES ('toys-worker', 'toys.events', 'k1', 'toy-refused');
            INSERT INTO messaging.parked_messages (consumer, topic, key, partition, log_offset,
                    type, headers, body, error_code, error, attempts)
                SELECT 'toys-worker', 'toys.events', 'k1', 0, n, 'toys.noted.v1', '[]', '', 'x',
                    'impossible ' || n, 1
                FROM generate_series(1, 3) AS n;
            INSERT INTO messaging.outbox_parked_keys (topic, key, reason)
                VALUES ('toys.commands', 'k2', 'too large')""")


async def test_what_is_parked_is_listed_with_its_owner(database: Database) -> None:
    park(database)

    code, output = await orderly(
        "parked", "list", OPERATOR_DATABASE_URL=database.url_for("orderly_operator")
    )

    assert code == 0, output
    relay, consumer = sorted(line for line in output.splitlines() if "toys." in line)
    assert [word in relay for word in ("outbox-relay", "k2", "too large")] == [True] * 3
    assert [word in consumer for word in ("toys-worker", "k1", "3", "impossible 1")] == [True] * 4


async def test_a_request_is_written_down_and_waits_for_its_owner(database: Database) -> None:
    park(database)

    code, output = await orderly(
        *("parked", "skip", "toys-worker", "toys.events", "k1"),
        *("--reason", "ticket 7", "--by", "ada", "--wait-s", "0.1"),
        OPERATOR_DATABASE_URL=database.url_for("orderly_operator"),
    )

    assert code == 3, output
    with psycopg.connect(database.url) as connection:
        found = connection.execute(
            "SELECT owner, verb, topic, key, requested_by, reason, finished_at"
            " FROM messaging.operator_requests"
        ).fetchall()
    assert found == [("toys-worker", "skip", "toys.events", "k1", "ada", "ticket 7", None)]


async def test_a_request_needs_a_reason(database: Database) -> None:
    code, output = await orderly("parked", "retry", "toys-worker", "toys.events", "k1")

    assert code != 0
    assert "--reason" in output


async def test_the_outbox_s_status_is_open_to_operators(database: Database) -> None:
    code, output = await orderly(
        "outbox", "status", OPERATOR_DATABASE_URL=database.url_for("orderly_operator")
    )

    assert code == 0, output
    assert "nobody holds the lease" in output
    assert "unpublished: 0 rows" in output


async def test_missing_settings_are_named(database: Database) -> None:
    code, output = await orderly("outbox", "status")

    assert code == 78
    assert "OPERATOR_DATABASE_URL is missing" in output


async def test_a_server_out_of_reach_is_an_error_without_a_traceback() -> None:
    code, output = await orderly(
        "outbox", "status", OPERATOR_DATABASE_URL="postgresql://me:hidden@127.0.0.1:1/none"
    )

    assert code == 69
    assert "Traceback" not in output
    assert "hidden" not in output


async def test_the_schema_is_walked_down_and_up_again(database: Database) -> None:
    down = await orderly("migrate", "--down", "--to", "0005", OPERATOR_DATABASE_URL=database.url)
    up = await orderly("migrate", OPERATOR_DATABASE_URL=database.url)

    assert (down[0], up[0]) == (0, 0), down[1] + up[1]


async def test_a_command_refuses_a_schema_it_was_not_written_for(database: Database) -> None:
    await asyncio.to_thread(migrate.downgrade, database.url, "0006")

    code, output = await orderly(
        "outbox", "status", OPERATOR_DATABASE_URL=database.url_for("orderly_operator")
    )

    assert code == 69
    assert output.startswith("the schema is at revision 6 and this code needs")
    assert "Remedy: orderly migrate" in output


async def test_a_migration_that_meets_a_lock_says_so(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute("LOCK TABLE messaging.inbox IN ACCESS SHARE MODE")

        code, output = await orderly(
            "migrate", "--down", "--to", "0006", OPERATOR_DATABASE_URL=database.url
        )

    assert code == 69
    assert output.startswith("a step of the migration was given up and left no trace")
