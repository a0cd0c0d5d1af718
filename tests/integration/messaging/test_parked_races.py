"""A retry beside everything that may happen meanwhile: order holds and nothing is done twice."""

import asyncio
from collections.abc import Sequence

import psycopg

from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.partitions import partition_of
from libs.testkit.eventually import eventually
from libs.testkit.faults import running
from tests.integration.messaging.consumer_toys import (
    ROLE,
    Noted,
    Refused,
    Toys,
    ToyTopic,
    definition,
    message,
    note,
    send,
)
from tests.integration.messaging.parked_toys import ask_for_one

KEY = "k"
# Refuses message 2 until it is repaired, and waits at message 110 for whoever holds the lock.
TRAP = """
    CREATE TABLE toys.repaired (at timestamptz);
    GRANT SELECT ON toys.repaired TO orderly_worker_orders;
    CREATE FUNCTION toys.trap() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.n = 2 AND NOT EXISTS (SELECT FROM toys.repaired) THEN
            RAISE EXCEPTION 'not repaired' USING ERRCODE = 'check_violation';
        ELSIF NEW.n = 110 THEN
            PERFORM pg_advisory_xact_lock(42);
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER trap BEFORE INSERT ON toys.effects FOR EACH ROW EXECUTE FUNCTION toys.trap()"""
WAITS_AT_THE_TRAP = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted"""
FINISHED = """
    SELECT count(*) FROM messaging.operator_requests WHERE finished_at IS NOT NULL"""


class Gated:
    """Refuses message 2 until it is repaired; then stops once at a message, for the test to act."""

    def __init__(self, stops_at: int) -> None:
        self._stops_at = stops_at
        self.is_repaired = False
        self.entered = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, tx: Transaction, messages: Sequence[Noted]) -> None:
        await note(tx, messages)
        for one in messages:
            if (one.key, one.n) == (KEY, 2) and not self.is_repaired:
                raise Refused("not repaired")
            if (one.key, one.n) == (KEY, self._stops_at) and not self.entered.is_set():
                self.entered.set()
                await self.open.wait()


def neighbour(topic: ToyTopic) -> str:
    """Return another key of the partition of KEY."""
    mine = partition_of(KEY, topic.partitions)
    return next(f"n{i}" for i in range(100) if partition_of(f"n{i}", topic.partitions) == mine)


async def parked(toys: Toys, count: int) -> None:
    await eventually(toys.parked, lambda found: len(found) == count, within_s=40)


async def finished(toys: Toys, count: int) -> None:
    await eventually(lambda: toys.rows(FINISHED), lambda rows: rows == [(count,)], within_s=60)


async def test_messages_that_arrive_while_a_retry_runs_come_after_it_and_others_flow(
    toys: Toys, topic: ToyTopic
) -> None:
    gate = Gated(stops_at=60)
    await send(toys.bootstrap, topic, [message(Noted(KEY, n)) for n in range(1, 81)])

    async with toys.consuming(definition(topic.name, [topic], gate)):
        await parked(toys, 79)
        gate.is_repaired = True
        await ask_for_one(toys, topic.name, topic.name, "retry", KEY)
        await gate.entered.wait()
        beside = neighbour(topic)
        late = [message(Noted(KEY, n)) for n in range(81, 86)]
        await send(toys.bootstrap, topic, [*late, message(Noted(beside, 1))])
        await eventually(lambda: toys.effects_of(beside), lambda found: found == [1])
        gate.open.set()
        await eventually(lambda: toys.effects_of(KEY), lambda found: len(found) == 85, within_s=40)
        await finished(toys, 1)

    assert await toys.effects_of(KEY) == list(range(1, 86))
    assert await toys.rows("SELECT * FROM messaging.parked_keys") == []


async def test_two_retries_at_once_by_two_members_run_the_queue_once_and_in_order(
    toys: Toys, topic: ToyTopic
) -> None:
    gate = Gated(stops_at=0)
    toy = definition(topic.name, [topic], gate)
    await send(toys.bootstrap, topic, [message(Noted(KEY, n)) for n in range(1, 151)])

    async with toys.consuming(toy), toys.consuming(toy):
        await parked(toys, 149)
        gate.is_repaired = True
        await asyncio.gather(
            *(ask_for_one(toys, topic.name, topic.name, "retry", KEY) for _ in range(3))
        )
        await finished(toys, 3)

    assert await toys.effects_of(KEY) == list(range(1, 151))
    results = "SELECT result FROM messaging.operator_request_items"
    assert await toys.rows(results) == [("done",)] * 3
    passed = "SELECT sum(handled) FROM messaging.operator_request_items"
    assert await toys.rows(passed) == [(149,)]


async def test_a_retry_goes_on_through_a_rebalance(toys: Toys, topic: ToyTopic) -> None:
    gate = Gated(stops_at=100)
    toy = definition(topic.name, [topic], gate)
    await send(toys.bootstrap, topic, [message(Noted(KEY, n)) for n in range(1, 151)])

    async with toys.consuming(toy):
        await parked(toys, 149)
        gate.is_repaired = True
        await ask_for_one(toys, topic.name, topic.name, "retry", KEY)
        await gate.entered.wait()
        async with toys.consuming(toy) as second:
            await send(toys.bootstrap, topic, [message(Noted(KEY, n)) for n in range(151, 161)])
            await eventually(lambda: second.problems() == [])
            gate.open.set()
            await eventually(
                lambda: toys.effects_of(KEY), lambda found: len(found) == 160, within_s=60
            )
            await finished(toys, 1)

    assert await toys.effects_of(KEY) == list(range(1, 161))


async def test_a_retry_cut_off_by_kill_9_keeps_what_was_done_and_goes_on_from_there(
    toys: Toys, topic: ToyTopic
) -> None:
    with psycopg.connect(toys.database.url, autocommit=True) as owner:
        owner.execute(TRAP)
        owner.execute("SELECT pg_advisory_lock(42)")
        await send(toys.bootstrap, topic, [message(Noted(KEY, n)) for n in range(1, 151)])
        arguments = (toys.bootstrap, toys.database.url_for(ROLE), topic.name)
        member = "tests.integration.messaging.toy_member"
        async with running(member, *arguments, environment={}, side_port=0, ready=False) as child:
            await parked(toys, 149)
            owner.execute("INSERT INTO toys.repaired VALUES (now())")
            await ask_for_one(toys, topic.name, topic.name, "retry", KEY)
            await eventually(lambda: toys.rows(WAITS_AT_THE_TRAP), lambda rows: rows != [(0,)])
            await child.kill()
        done = await toys.effects_of(KEY)
        owner.execute("SELECT pg_advisory_unlock(42)")

    handled = "SELECT handled, finished_at FROM messaging.operator_request_items"
    assert await toys.rows(handled) == [(len(done) - 1, None)]
    async with toys.consuming(definition(topic.name, [topic])):
        await finished(toys, 1)

    assert 50 <= len(done) < 110
    assert await toys.effects_of(KEY) == list(range(1, 151))
    attempts = "SELECT count(*) FROM messaging.parked_attempts WHERE outcome = 'succeeded'"
    assert await toys.rows(attempts) == [(149,)]


async def test_a_skip_beside_a_retry_leaves_out_the_message_it_means_or_nothing(
    toys: Toys, topic: ToyTopic
) -> None:
    gate = Gated(stops_at=0)
    toy = definition(topic.name, [topic], gate)
    await send(toys.bootstrap, topic, [message(Noted(KEY, n)) for n in range(1, 121)])

    async with toys.consuming(toy), toys.consuming(toy):
        await parked(toys, 119)
        ((head,),) = await toys.rows("SELECT min(id) FROM messaging.parked_messages")
        gate.is_repaired = True
        await asyncio.gather(
            ask_for_one(toys, topic.name, topic.name, "retry", KEY),
            ask_for_one(toys, topic.name, topic.name, "skip", KEY, head=head),
        )
        await finished(toys, 2)

    (skipped,) = await toys.rows(
        "SELECT i.result, i.skipped FROM messaging.operator_request_items AS i"
        " JOIN messaging.operator_requests AS q ON q.id = i.request_id WHERE q.verb = 'skip'"
    )
    assert skipped in [("done", 1), ("refused", 0)]
    left_out = {2} if skipped == ("done", 1) else set[int]()
    assert await toys.effects_of(KEY) == [n for n in range(1, 121) if n not in left_out]
