"""Many keys that the relay holds back are released one after the other, and others flow."""

from uuid import UUID

import psycopg
import pytest

from libs.foundation.database.connections import open_connection
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.asker import Asker
from libs.foundation.messaging.quarantine import asking, reading
from libs.foundation.messaging.quarantine.asking import Asked, Outcome, Verb
from libs.foundation.messaging.quarantine.reading import RELAY, ShownKey
from libs.foundation.messaging.relay.session import Step
from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from libs.foundation.messaging.sql.parked_listing import Narrowing
from libs.testkit.databases import Database
from tests.integration.messaging.relay_harness import (
    Recorder,
    accept,
    eventually,
    relay_settings,
    relaying,
    settings_of,
    write,
)

BAD = ("bad0", "bad1", "bad2")
TOPIC = "toys.events"
OPEN = "SELECT count(*) FROM messaging.operator_requests WHERE finished_at IS NULL"
EVERY_CAUSE = Narrowing(owner=RELAY)


def is_first_of_bad(row: OutboxRow) -> bool:
    return row.key.startswith(b"bad") and row.sequence == 1


async def ask(database: Database, verb: Verb, narrowing: Narrowing = EVERY_CAUSE) -> Asked:
    operator = settings_of(database.url_for("orderly_operator"))
    asker = Asker(requested_by="ada", reason="the topic takes larger messages now")
    async with (
        open_connection(operator, "toy operator") as connection,
        transaction(connection) as tx,
    ):
        return await asking.ask(tx, verb, narrowing, asker)


async def stop(database: Database, request_id: UUID) -> UUID:
    operator = settings_of(database.url_for("orderly_operator"))
    asker = Asker(requested_by="ada", reason="the topic is as it was")
    async with (
        open_connection(operator, "toy operator") as connection,
        transaction(connection) as tx,
    ):
        return await asking.ask_stop(tx, request_id, asker)


async def outcome(database: Database, request_id: UUID) -> Outcome:
    reader = settings_of(database.url_for("orderly_reader"))
    async with open_connection(reader, "toy reader") as connection, transaction(connection) as tx:
        found = await asking.outcome(tx, request_id, 100)
    assert found is not None
    return found


async def shown(database: Database, key: str) -> ShownKey:
    reader = settings_of(database.url_for("orderly_reader"))
    async with open_connection(reader, "toy reader") as connection, transaction(connection) as tx:
        found = await reading.show_key(tx, RELAY, TOPIC, key, 10)
    assert found is not None
    return found


async def park(database: Database, recorder: Recorder) -> None:
    """Leave each bad key parked with three versions."""
    await write(database, *BAD, *BAD, *BAD, "good")
    async with relaying(relay_settings(database, standby_poll_ms=5), recorder):
        await recorder.until(lambda: ("good", 1) in recorder.changes())
        await eventually(database, "SELECT count(*) FROM messaging.outbox_parked_rows", 9)


def versions(recorder: Recorder, key: str) -> list[int]:
    return [version for found, version in recorder.firsts() if found == key]


async def test_what_a_broker_refuses_has_a_history_and_a_fingerprint(database: Database) -> None:
    recorder = Recorder(refuses=is_first_of_bad)
    await park(database, recorder)

    await ask(database, "retry", Narrowing(owner=RELAY, topic=TOPIC, key="bad0"))
    async with relaying(relay_settings(database, standby_poll_ms=5), recorder):
        await eventually(database, OPEN, 0)
    found = await shown(database, "bad0")

    assert (found.held.fingerprint, found.held.messages) == ("toy-refused", 3)
    first, second, _ = found.queue
    assert (first.attempts, first.error, second.code) == (2, "refused by the test", "queued")
    assert [attempt.outcome for attempt in first.history] == ["failed", "failed"]
    assert [attempt.request_id is None for attempt in first.history] == [True, False]
    assert first.headers["ce_type"] == "toys.changed.v1"
    assert first.headers["ce_subject"] == "bad0"
    assert second.history == []


async def test_every_key_of_one_cause_is_released_in_order_while_others_flow(
    database: Database,
) -> None:
    recorder = Recorder(refuses=is_first_of_bad)
    await park(database, recorder)
    recorder.refuses = accept
    asked = await ask(database, "retry", Narrowing(fingerprint="toy-refused"))

    settings = relay_settings(database, standby_poll_ms=5, window_rows_max=1, bulk_rows_per_s=20)
    async with relaying(settings, recorder):
        await recorder.until(lambda: ("bad0", 1) in recorder.changes())
        await write(database, "good", "bad0", "bad1", "bad2")
        await eventually(database, OPEN, 0)
        await recorder.until(lambda: len(versions(recorder, "bad2")) == 4)

    changes = recorder.changes()
    assert changes.index(("good", 2)) < changes.index(("bad2", 3))
    for key in BAD:
        assert versions(recorder, key) == [1, 2, 3, 4]
    found = await outcome(database, asked.request_id)
    assert found.request.outcome == "finished: 3 keys done, 0 stopped, 0 refused"


async def test_a_release_that_is_stopped_ends_between_two_pages(database: Database) -> None:
    recorder = Recorder(refuses=is_first_of_bad)
    await park(database, recorder)
    recorder.refuses = accept
    asked = await ask(database, "retry", Narrowing(fingerprint="toy-refused"))

    settings = relay_settings(database, standby_poll_ms=5, window_rows_max=1, bulk_rows_per_s=1)
    async with relaying(settings, recorder):
        await recorder.until(lambda: ("bad0", 1) in recorder.changes())
        await stop(database, asked.request_id)
        await eventually(database, OPEN, 0)

    found = await outcome(database, asked.request_id)
    assert found.request.stopped > 0
    handled = {item.key: item.handled for item in found.items}
    assert {key: versions(recorder, key)[-1:] for key in BAD} == {
        key: [handled[key]] if handled[key] else [] for key in BAD
    }


class Crash(Exception):
    """The relay died."""


@pytest.mark.parametrize("at_release", [1, 2, 4])
async def test_a_relay_that_dies_between_two_releases_leaves_the_rest_to_the_next(
    database: Database, at_release: int
) -> None:
    recorder = Recorder(refuses=is_first_of_bad)
    await park(database, recorder)
    recorder.refuses = accept
    asked = await ask(database, "skip")
    served = 0

    def die(step: Step) -> None:
        nonlocal served
        served += step is Step.REQUEST_SERVED
        if served == at_release:
            served += 1
            raise Crash

    settings = relay_settings(database, standby_poll_ms=5, window_rows_max=2)
    try:
        async with relaying(settings, recorder, die):
            await recorder.until(lambda: False)
    except* Crash:
        pass
    async with relaying(settings, recorder):
        await eventually(database, OPEN, 0)

    for key in BAD:
        assert versions(recorder, key) == [2, 3]
    found = await outcome(database, asked.request_id)
    assert [(item.handled, item.skipped) for item in found.items] == [(2, 1)] * 3
    with psycopg.connect(database.url) as connection:
        query = "SELECT outcome, count(*) FROM messaging.parked_attempts GROUP BY 1 ORDER BY 1"
        attempts = connection.execute(query).fetchall()
    assert attempts == [("failed", 3), ("skipped", 3), ("succeeded", 6)]


async def test_a_skip_of_a_row_that_is_not_first_any_more_leaves_out_nothing(
    database: Database,
) -> None:
    recorder = Recorder(refuses=is_first_of_bad)
    await park(database, recorder)
    asked = await ask(database, "skip", Narrowing(owner=RELAY, topic=TOPIC, key="bad0"))
    with psycopg.connect(database.url) as owner:
        owner.execute(
            "UPDATE messaging.outbox_parked_rows SET resolution = 'released', resolved_at = now()"
            " WHERE aggregateid = 'bad0' AND sequence = 1"
        )

    async with relaying(relay_settings(database, standby_poll_ms=5), recorder):
        await eventually(database, OPEN, 0)

    found = await outcome(database, asked.request_id)
    assert found.items[0].result == "refused"
    assert (await shown(database, "bad0")).held.messages == 2
