"""A request for many keys: resumed after whatever ends a step, in order for each key."""

import asyncio
from collections.abc import Sequence
from typing import Final
from unittest.mock import patch
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.consumer import requests
from libs.foundation.messaging.quarantine.asking import KEYS_MAX, Refused, Verb
from libs.foundation.messaging.sql.parked_listing import Narrowing
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from tests.integration.messaging.consumer_toys import (
    Noted,
    ToyHandler,
    Toys,
    definition,
    note,
)
from tests.integration.messaging.consumer_toys import Refused as RefusedByToy
from tests.integration.messaging.parked_toys import (
    CAUSE,
    ParkedToys,
    ask_for_one,
    work_off,
)

STEP: Final = 3


@pytest.fixture
def toys(database: Database) -> Toys:
    return Toys(database, "nowhere")


@pytest.fixture
def parked(toys: Toys) -> ParkedToys:
    return ParkedToys(toys, f"toys-{uuid4().hex[:8]}")


class CrashingHandler:
    """Loses its database at the calls the test names; refuses the messages the test names."""

    def __init__(self, poison: set[tuple[str, int]], crashes: set[int]) -> None:
        self._poison = poison
        self._crashes = crashes
        self._calls = 0

    async def __call__(self, tx: Transaction, messages: Sequence[Noted]) -> None:
        self._calls += 1
        await note(tx, messages)
        if self._calls in self._crashes:
            raise psycopg.OperationalError("the test pulled the plug")
        if any((one.key, one.n) in self._poison for one in messages):
            raise RefusedByToy("never")


QUEUES: Final = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]), st.integers(1, 9), min_size=1, max_size=4
)


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    queues=QUEUES,
    poison=st.sets(st.tuples(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 8)), max_size=4),
    crashes=st.sets(st.integers(1, 30), max_size=6),
    verb=st.sampled_from(["retry", "skip"]),
    members=st.integers(1, 2),
)
async def test_whatever_ends_a_step_each_key_runs_in_order_and_each_message_once(
    toys: Toys,
    queues: dict[str, int],
    poison: set[tuple[str, int]],
    crashes: set[int],
    verb: Verb,
    members: int,
) -> None:
    parked = ParkedToys(toys, f"toys-{uuid4().hex[:8]}")
    with psycopg.connect(toys.database.url) as owner:
        owner.execute("DELETE FROM toys.effects")
    for key, length in queues.items():
        parked.park(key, range(length))
    asked = await parked.ask(verb)
    handler = CrashingHandler(poison, crashes)
    consumed = definition(parked.owner, [], handler)

    async def work() -> None:
        async with parked.runner(consumed, bulk_messages_per_s=100_000) as runner:
            await work_off(runner)

    with patch.object(requests, "_STEP_MESSAGES_MAX", STEP):
        await asyncio.gather(*(work() for _ in range(members)))
        # A member that found every item locked has left them to the other one.
        await work()

    found = await parked.outcome(asked.request_id)
    assert found.request.finished_at is not None
    for item in found.items:
        effects = await toys.effects_of(item.key)
        expected = list(range(queues[item.key]))[1 if verb == "skip" else 0 :]
        stopped_at = next((n for n in expected if (item.key, n) in poison), None)
        waiting = [] if stopped_at is None else [n for n in expected if n >= stopped_at]
        assert effects == [n for n in expected if n not in waiting]
        assert await parked.waiting(item.key) == waiting
        assert item.result == ("stopped" if waiting else "done"), item
        assert (item.handled, item.skipped) == (len(effects), int(verb == "skip"))
    still_parked = sorted(item.key for item in found.items if item.result == "stopped")
    assert await parked.parked_keys() == still_parked


async def test_one_request_is_for_the_keys_of_several_owners_and_ends_with_the_last(
    toys: Toys, parked: ParkedToys
) -> None:
    other = ParkedToys(toys, f"{parked.owner}-2")
    parked.park("a", [1, 2])
    other.park("b", [1])
    asked = await parked.ask("retry", Narrowing(fingerprint=CAUSE))
    assert asked.new_keys == 2

    async with parked.runner(definition(parked.owner, [], note)) as runner:
        await work_off(runner)
        half_way = await parked.outcome(asked.request_id)
    async with other.runner(definition(other.owner, [], note)) as runner:
        await work_off(runner)
    over = await parked.outcome(asked.request_id)

    assert half_way.request.finished_at is None
    assert half_way.request.done == 1
    assert over.request.outcome == "finished: 2 keys done, 0 stopped, 0 refused"
    assert over.request.key_selection == {"fingerprint": CAUSE}
    assert await toys.effects() == [("a", 1), ("a", 2), ("b", 1)]


async def test_asking_again_goes_on_with_what_was_asked_before(parked: ParkedToys) -> None:
    for key in "abc":
        parked.park(key, [1])
    first = await parked.ask("retry")
    again = await parked.ask("retry")
    parked.park("d", [1])
    more = await parked.ask("retry")

    assert (again.request_id, again.new_keys) == (first.request_id, 0)
    assert more.new_keys == 1
    assert more.request_id != first.request_id


async def test_what_is_asked_for_otherwise_already_is_refused(parked: ParkedToys) -> None:
    parked.park("a", [1])
    await parked.ask("retry")

    with pytest.raises(Refused, match="to retry is not done with key a"):
        await parked.ask("skip")


async def test_a_request_that_matches_nothing_leaves_no_row(toys: Toys, parked: ParkedToys) -> None:
    with pytest.raises(Refused, match="nothing that matches is parked"):
        await parked.ask("retry")

    assert await toys.rows("SELECT * FROM messaging.operator_requests") == []


async def test_a_person_who_waits_for_one_key_is_served_before_the_rest_of_many(
    toys: Toys, parked: ParkedToys
) -> None:
    for key in ("a", "b", "c"):
        parked.park(key, [1])
    await parked.ask("retry")
    parked.park("urgent", [1])

    async with parked.running(definition(parked.owner, [], note), bulk_messages_per_s=1):
        await eventually(toys.effects)
        await parked.ask("retry", Narrowing(owner=parked.owner, topic=parked.topic, key="urgent"))
        await eventually(toys.effects, lambda effects: len(effects) == 4)

    assert [key for key, _ in await toys.effects()].index("urgent") < 3


async def test_a_request_that_is_stopped_leaves_the_rest_of_its_keys_parked_with_their_owners(
    toys: Toys, parked: ParkedToys
) -> None:
    other = ParkedToys(toys, f"{parked.owner}-2")
    for key in ("a", "b", "c"):
        parked.park(key, [1])
    other.park("d", [1])
    asked = await parked.ask("retry", Narrowing(fingerprint=CAUSE))

    # After one key the member rests for longer than it is looked at.
    async with parked.running(definition(parked.owner, [], note), bulk_messages_per_s=1):
        await eventually(toys.effects)
        stop = await parked.ask_stop(asked.request_id)
        await eventually(
            lambda: parked.outcome(asked.request_id), lambda found: found.request.stopped > 0
        )
    half_way = await parked.outcome(stop)
    async with other.runner(definition(other.owner, [], note)) as runner:
        await work_off(runner)

    found = await parked.outcome(asked.request_id)
    done = [key for key, _ in await toys.effects()]
    assert half_way.request.finished_at is None
    assert (found.request.done, found.request.stopped) == (len(done), 4 - len(done))
    assert (await parked.outcome(stop)).request.outcome == f"finished: {found.request.outcome}"
    assert "stopped by ada: 0 handled, 0 left out" in [item.outcome for item in found.items]
    assert await parked.parked_keys() == [key for key in "abc" if key not in done]
    assert await other.parked_keys() == ["d"]


async def test_what_is_over_cannot_be_stopped(parked: ParkedToys) -> None:
    parked.park("a", [1])
    asked = await parked.ask("retry")
    async with parked.runner(definition(parked.owner, [], note)) as runner:
        await work_off(runner)

    for request_id in (asked.request_id, uuid4()):
        with pytest.raises(Refused, match="is under way"):
            await parked.ask_stop(request_id)


async def test_a_key_the_environment_always_fails_is_given_up_and_the_others_run(
    toys: Toys, parked: ParkedToys
) -> None:
    handler = ToyHandler()
    handler.refused["a", 1] = TimeoutError("it never ends")
    parked.park("a", [1, 2])
    parked.park("b", [1])
    asked = await parked.ask("retry")

    async with parked.running(definition(parked.owner, [], handler), bulk_messages_per_s=1_000):
        found = await eventually(
            lambda: parked.outcome(asked.request_id),
            lambda found: found.request.finished_at is not None,
            within_s=60,
        )

    assert found.request.outcome == "stopped: 1 keys done, 1 stopped, 0 refused"
    assert found.items[0].outcome == (
        "stopped by the environment: TimeoutError: TimeoutError: it never ends"
    )
    assert await toys.effects() == [("b", 1)]
    assert await parked.waiting("a") == [1, 2]


async def test_a_skip_is_about_the_message_that_was_first_when_it_was_asked_for(
    toys: Toys, parked: ParkedToys
) -> None:
    handler = ToyHandler()
    handler.refused["a", 3] = RefusedByToy("a second cause")
    parked.park("a", [1, 2, 3, 4])
    seen = await parked.head("a")
    retry = await ask_for_one(toys, parked.owner, parked.topic, "retry", "a")
    skip = await ask_for_one(toys, parked.owner, parked.topic, "skip", "a", head=seen)

    async with parked.runner(definition(parked.owner, [], handler)) as runner:
        await work_off(runner)

    assert (await parked.outcome(retry)).items[0].result == "stopped"
    refused = (await parked.outcome(skip)).items[0]
    assert refused.result == "refused"
    assert "no longer the first of its queue" in (refused.outcome or "")
    assert await parked.waiting("a") == [3, 4]


async def test_a_request_for_more_keys_than_one_may_hold_takes_the_oldest(
    toys: Toys, parked: ParkedToys
) -> None:
    with psycopg.connect(toys.database.url) as owner:
        owner.execute(
            "INSERT INTO messaging.parked_keys (consumer, topic, key, reason, parked_at)"
            " SELECT %s, 'toys.events', 'k' || n, 'x', now() - n * interval '1 second'"
            " FROM generate_series(1, %s) AS n",
            [parked.owner, KEYS_MAX + 5],
        )

    asked = await parked.ask("retry")

    assert asked.new_keys == KEYS_MAX
    last = "SELECT min(substr(key, 2)::int) FROM messaging.operator_request_items"
    assert await toys.rows(last) == [(6,)]
