"""The house keeps itself in order: with the broker away, several at once, under locks and jumps."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import psycopg
import pytest
from prometheus_client import REGISTRY

from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.messaging.poison import Verdict, judge
from libs.foundation.messaging.relay import chores
from libs.foundation.messaging.relay.chores import CHORES, keep_house
from libs.foundation.messaging.relay.upkeep import Upkeep, measure, measure_partitions
from libs.foundation.messaging.sql import partitions
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from tests.integration.messaging.relay_harness import RELAY, relay_settings, settings_of, write

MAKE_OLD: Final = (
    "SELECT messaging.make_inbox_partitions(date_trunc('day', now()) - interval '20 days', 0)"
)
INBOX: Final = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'messaging.inbox'::regclass"
ROUNDS: Final = "UPDATE messaging.upkeep_rounds SET "
LONG_STEADY: Final = (
    "begun_at = now() - interval '2 minutes', steady_since = now() - interval '61 minutes'"
)
OUTBOX: Final = """
    SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'messaging.outbox'::regclass ORDER BY c.relname"""
FINISHED_AND_OPEN: Final = """
    INSERT INTO messaging.operator_requests
        (id, owner, verb, requested_by, reason, requested_at, finished_at)
    SELECT gen_random_uuid(), 'outbox-relay', 'handover', 'ada', 'x', now() - age,
        CASE WHEN is_over THEN now() - age END
    FROM (VALUES (interval '100 days', true), ('100 days', false), ('20 days', true))
        AS made (age, is_over);
    INSERT INTO messaging.parked_messages (consumer, topic, key, partition, log_offset, headers,
        error_code, error, attempts, resolution, resolved_at)
    SELECT 'toys', 't', 'k', 0, n, '[]', 'x', 'x', 1,
        CASE WHEN n % 2 = 0 THEN 'skipped' END,
        CASE WHEN n % 2 = 0 THEN now() - interval '100 days' END
    FROM generate_series(1, 3000) AS n;
    INSERT INTO messaging.outbox_parked_rows (seq, id, aggregatetype, aggregateid, type, topic,
        partition, source, occurred_at, payload, resolution, resolved_at)
    SELECT n, gen_random_uuid(), 'toy', 'k', 't', 't', 0, '/t', now(), '',
        CASE WHEN n = 1 THEN 'released' END,
        CASE WHEN n = 1 THEN now() - interval '100 days' END
    FROM generate_series(1, 2) AS n;
    INSERT INTO messaging.parking_stops (consumer, process, keys_max, seen_at, resumed_at)
    SELECT 'toys', 'host:1', 20, now() - seen, now() - resumed
    FROM (VALUES (interval '100 days', interval '99 days'), ('100 days', NULL),
        ('100 days', '20 days'), ('1 second', NULL)) AS made (seen, resumed);
    INSERT INTO messaging.parked_attempts (message_id, process, release, outcome)
    SELECT id, 'host:1', '1', 'skipped' FROM messaging.parked_messages;
    INSERT INTO messaging.parked_attempts (outbox_seq, process, release, outcome)
    SELECT seq, 'host:1', '1', 'succeeded' FROM messaging.outbox_parked_rows;
    INSERT INTO messaging.operator_request_items
        (request_id, position, owner, topic, key, of_many)
    SELECT id, 1, 'toys', 't', 'k', false FROM messaging.operator_requests"""
LEFT: Final = """
    SELECT (SELECT count(*) FROM messaging.operator_requests),
        (SELECT count(*) FROM messaging.parked_messages),
        (SELECT count(*) FROM messaging.outbox_parked_rows),
        (SELECT count(*) FROM messaging.parking_stops),
        (SELECT count(*) FROM messaging.parked_attempts),
        (SELECT count(*) FROM messaging.operator_request_items)"""


def execute(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def drop_all(database: Database, parent: str = "outbox") -> None:
    """Leave a table without any partition, as after a day without a relay."""
    children = (
        "SELECT inhrelid::regclass::text FROM pg_inherits"
        f" WHERE inhparent = 'messaging.{parent}'::regclass"
    )
    for (name,) in execute(database, children):
        execute(database, f"DROP TABLE {name}")


@asynccontextmanager
async def housekeeping(database: Database) -> AsyncGenerator[Connection]:
    url = database.url_for(RELAY)
    async with open_connection(settings_of(url), "toy housekeeper") as connection:
        yield connection


async def keep(database: Database) -> None:
    async with housekeeping(database) as connection:
        await keep_house(connection, relay_settings(database))


def measured(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    return 0.0 if value is None else value


def failures() -> float:
    return measured("relay_housekeeping_failures_total")


async def test_a_row_without_a_partition_is_refused_as_a_matter_of_the_environment(
    database: Database,
) -> None:
    await write(database, "toy")
    drop_all(database)

    with pytest.raises(psycopg.errors.CheckViolation, match="no partition") as raised:
        await write(database, "toy")

    assert judge(raised.value) is Verdict.ENVIRONMENT


async def test_upkeep_makes_what_is_missing_though_no_relay_leads(database: Database) -> None:
    await keep(database)
    drop_all(database)
    stopping = asyncio.Event()
    upkeep = asyncio.create_task(Upkeep(relay_settings(database)).run(stopping))

    await eventually(lambda: execute(database, OUTBOX), lambda found: len(found) == 25)

    stopping.set()
    await upkeep
    await write(database, "toy")
    assert execute(database, "SELECT count(*) FROM messaging.outbox") == [(1,)]


async def test_an_attached_partition_has_what_a_created_one_has(database: Database) -> None:
    drop_all(database)
    await keep(database)

    await write(database, "toy", "toy")

    assert execute(database, "SELECT seq FROM messaging.outbox ORDER BY seq") == [(1,), (2,)]
    shapes = execute(
        database,
        "SELECT DISTINCT (SELECT count(*) FROM pg_index WHERE indrelid = i.inhrelid),"
        " (SELECT count(*) FROM pg_inherits AS x JOIN pg_index AS y ON y.indexrelid = x.inhrelid"
        " WHERE y.indrelid = i.inhrelid), c.relowner::regrole::text"
        " FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'messaging.outbox'::regclass",
    )
    assert shapes == [(3, 3, "orderly_owner")]


async def test_two_upkeepers_at_once_do_everything_once(database: Database) -> None:
    for parent in ("outbox", "outbox_cursor", "inbox"):
        drop_all(database, parent)
    before = failures()

    await asyncio.gather(*(keep(database) for _ in range(4)))

    assert failures() == before
    assert len(execute(database, OUTBOX)) == 25
    done = "SELECT count(*) FROM messaging.upkeep_rounds WHERE succeeded_at IS NOT NULL"
    assert execute(database, done) == [(len(CHORES),)]


async def test_partitions_made_by_two_at_once_are_made_once(database: Database) -> None:
    drop_all(database)

    async def make() -> int:
        async with housekeeping(database) as connection:
            try:
                return await partitions.make_ahead(connection, "outbox", 24)
            except psycopg.errors.LockNotAvailable:
                return 0

    made = await asyncio.gather(*(make() for _ in range(4)))

    assert sorted(made) == [0, 0, 0, 25]


async def test_open_writers_and_readers_do_not_keep_partitions_from_being_made(
    database: Database,
) -> None:
    execute(database, "DELETE FROM messaging.upkeep_rounds")
    newest = execute(database, OUTBOX)[-1][0]
    execute(database, f"DROP TABLE messaging.{newest}")
    with psycopg.connect(database.url) as writer, psycopg.connect(database.url) as reader:
        writer.execute("LOCK TABLE messaging.outbox IN ROW EXCLUSIVE MODE")
        reader.execute("LOCK TABLE messaging.outbox IN ACCESS SHARE MODE")

        await keep(database)

    assert (newest,) in execute(database, OUTBOX)


async def test_a_locked_table_holds_up_its_own_chores_only(database: Database) -> None:
    execute(
        database,
        "INSERT INTO web.idempotency_keys (principal, method, route, key, fingerprint, created_at)"
        " SELECT 'ada', 'POST', '/', n::text, '', now() - interval '3 days'"
        " FROM generate_series(1, 2500) AS n",
    )
    newest = execute(database, OUTBOX)[-1][0]
    execute(database, f"DROP TABLE messaging.{newest}")
    before = failures()
    with psycopg.connect(database.url) as other:
        other.execute("LOCK TABLE messaging.outbox IN ACCESS EXCLUSIVE MODE")

        await keep(database)

    assert failures() > before
    assert execute(database, "SELECT count(*) FROM web.idempotency_keys") == [(0,)]
    failed = "SELECT chore FROM messaging.upkeep_rounds WHERE succeeded_at IS NULL ORDER BY 1"
    assert ("make_outbox",) in execute(database, failed)
    execute(database, ROUNDS + "begun_at = now() - interval '2 minutes'")
    await keep(database)
    assert execute(database, failed) == []
    assert (newest,) in execute(database, OUTBOX)


@pytest.mark.parametrize(
    "jump",
    ["begun_at = now() - interval '5 hours'", "begun_at = now() + interval '3 hours'"],
    ids=["forward", "back"],
)
async def test_nothing_is_dropped_for_an_hour_after_the_clock_has_jumped(
    database: Database, jump: str
) -> None:
    await keep(database)
    execute(database, MAKE_OLD)
    kept = execute(database, INBOX)
    execute(database, ROUNDS + jump)

    await keep(database)
    held = execute(database, INBOX)
    execute(database, ROUNDS + LONG_STEADY)
    await keep(database)

    assert held == kept
    assert execute(database, INBOX)[0][0] == kept[0][0] - 1


async def test_nothing_is_dropped_while_two_clocks_disagree(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is to be made is made before: an hour or a day may have begun since the migration.
    await keep(database)
    execute(database, ROUNDS + LONG_STEADY)
    execute(database, MAKE_OLD)
    kept = execute(database, INBOX)
    later: Callable[[], object] = lambda: utc_now() + timedelta(minutes=10)  # noqa: E731
    monkeypatch.setattr(chores, "utc_now", later)

    await keep(database)

    assert execute(database, INBOX) == kept


async def test_partitions_are_made_where_the_clock_is_now(database: Database) -> None:
    """The clock was set back by two days: rows of now have no partition, those ahead do."""
    drop_all(database)
    execute(
        database,
        "SELECT messaging.make_time_partitions('outbox', now() + interval '48 hours', '1 hour', 3)",
    )
    async with housekeeping(database) as connection:
        ahead_s = await measure_partitions(connection)
        assert ahead_s["outbox"] == 0
        await keep_house(connection, relay_settings(database), ahead_s)
        ahead_s = await measure_partitions(connection)

    assert ahead_s["outbox"] > 23 * 3_600
    await write(database, "toy")


async def test_what_is_finished_is_deleted_when_it_is_old_and_nothing_else(
    database: Database,
) -> None:
    execute(database, FINISHED_AND_OPEN)

    await keep(database)

    # What hangs on a row goes with it: attempts on messages, items on requests.
    assert execute(database, LEFT) == [(2, 1_500, 1, 2, 1_501, 2)]


async def test_the_age_of_each_chore_and_the_room_ahead_are_measured(database: Database) -> None:
    await keep(database)
    execute(database, ROUNDS + "succeeded_at = now() - interval '90 seconds'")

    async with housekeeping(database) as connection:
        await measure(connection)
        await measure_partitions(connection)

    assert 89 < measured("upkeep_last_success_age_seconds", chore="drop_inbox") < 120
    assert measured("partitions_ahead_seconds", table="outbox") > 23 * 3_600
