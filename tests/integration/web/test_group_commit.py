"""What a group commit owes each request, whatever happens to its neighbours."""

import asyncio
from collections.abc import Generator
from contextlib import closing, contextmanager
from time import monotonic
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from libs.foundation.web.refusals import (
    IdempotencyInProgress,
    IdempotencyKeyReused,
    OutcomeUnknown,
    Overloaded,
)
from libs.foundation.web.reply import Reply
from libs.testkit.commit_proxy import losing_commits
from libs.testkit.proxy import proxied
from tests.integration.web.conftest import Doors, Hang, ThingRefused

REPLAYED = "Idempotent-Replayed"


def replies(outcomes: list[Reply | BaseException]) -> list[Reply]:
    return [outcome for outcome in outcomes if isinstance(outcome, Reply)]


@contextmanager
def key_held(url: str, key: str) -> Generator[None]:
    """Hold the row of a key in a transaction that is rolled back at the end."""
    with closing(psycopg.connect(url)) as connection:
        connection.execute(
            "INSERT INTO web.idempotency_keys (principal, method, route, key, fingerprint)"
            " VALUES ('machine:one', 'POST', '/v1/things', %s, '\\x00')",
            [key],
        )
        yield


async def test_twins_in_one_batch_have_one_effect_and_the_same_bytes(doors: Doors) -> None:
    door = await doors.open()

    outcomes = await door.post_all(*[("k1", "a")] * 50, ("k2", "b"))

    answers = replies(outcomes)
    assert doors.names() == ["a", "b"]
    assert len(answers) == 51
    assert len({answer.body for answer in answers[:50]}) == 1
    assert [REPLAYED in answer.headers for answer in answers].count(False) == 2


async def test_twins_in_two_processes_have_one_effect_and_the_same_bytes(doors: Doors) -> None:
    first, second = await doors.open(), await doors.open()
    requests = [(f"k{number}", f"n{number}") for number in range(100)]

    one, other = await asyncio.gather(
        first.post_all(*requests), second.post_all(*reversed(requests))
    )

    assert len(doors.names()) == 100
    bodies = [answer.body for answer in replies(one)]
    assert bodies == [answer.body for answer in reversed(replies(other))]
    assert len(set(bodies)) == 100


async def test_a_repeat_gets_the_stored_bytes_and_headers(doors: Doors) -> None:
    first = await (await doors.open()).post("k1")

    repeated = await (await doors.open()).post("k1")

    assert (repeated.status, repeated.body) == (first.status, first.body)
    assert repeated.headers == {**first.headers, REPLAYED: "true"}
    assert REPLAYED not in first.headers


async def test_a_key_with_another_body_is_refused_stored_or_in_flight(doors: Doors) -> None:
    door = await doors.open()

    at_once = await door.post_all(("k1", "a"), ("k1", "b"))
    later = await door.post_all(("k1", "c"))

    assert isinstance(at_once[0], Reply)
    assert isinstance(at_once[1], IdempotencyKeyReused)
    assert isinstance(later[0], IdempotencyKeyReused)
    assert doors.names() == ["a"]


async def test_a_refused_key_is_free_for_another_body(doors: Doors) -> None:
    door = await doors.open()

    outcomes = await door.post_all(("k1", "refused"), ("k1", "refused"), ("k2", "a"), ("k1", "b"))
    later = await door.post("k1", "b")

    assert [type(outcome) for outcome in outcomes] == [ThingRefused, ThingRefused, Reply, Reply]
    assert later.headers[REPLAYED] == "true"
    assert doors.names() == ["a", "b"]


async def test_a_poisonous_row_fails_alone_among_a_hundred(doors: Doors) -> None:
    door = await doors.open()
    requests = [(f"k{number}", f"n{number}") for number in range(100)]
    requests[37] = ("k37", "poison")

    outcomes = await door.post_all(*requests)

    assert isinstance(outcomes[37], psycopg.errors.CheckViolation)
    assert len(replies(outcomes)) == 99
    assert len(doors.names()) == 99
    assert (await door.post("k37", "good")).status == 201


async def test_a_nul_character_fails_alone_among_a_hundred(doors: Doors) -> None:
    door = await doors.open()
    requests = [(f"k{number}", f"n{number}") for number in range(100)]
    requests[99] = ("k99", "a\0b")

    outcomes = await door.post_all(*requests)

    assert isinstance(outcomes[99], psycopg.Error)
    assert len(doors.names()) == 99


async def test_a_lost_commit_answer_is_found_out_by_asking_again(doors: Doors) -> None:
    async with losing_commits(doors.url) as proxy:
        door = await doors.open(proxy.url_for(doors.url))
        await door.post("warm")
        proxy.lose_answers(1)

        outcomes = await door.post_all(*[(f"k{number}", "a") for number in range(20)])

    assert [answer.status for answer in replies(outcomes)] == [201] * 20
    assert len(doors.names()) == 21


async def test_a_lost_commit_is_done_by_asking_again(doors: Doors) -> None:
    async with losing_commits(doors.url) as proxy:
        door = await doors.open(proxy.url_for(doors.url))
        await door.post("warm")
        proxy.lose_commits(1)

        outcomes = await door.post_all(*[(f"k{number}", "a") for number in range(20)])

    assert [answer.status for answer in replies(outcomes)] == [201] * 20
    assert len(doors.names()) == 21


async def test_two_lost_commits_leave_the_outcome_unknown_and_the_key_tells(doors: Doors) -> None:
    async with losing_commits(doors.url) as proxy:
        door = await doors.open(proxy.url_for(doors.url))
        await door.post("warm")
        proxy.lose_commits(2)

        outcomes = await door.post_all(("k1", "a"))
        repeated = await door.post("k1", "a")

    assert isinstance(outcomes[0], OutcomeUnknown)
    assert repeated.status == 201
    assert doors.names() == ["a", "good"]


async def test_a_server_out_of_reach_before_the_commit_is_overload_not_doubt(doors: Doors) -> None:
    server = urlsplit(doors.url)
    async with proxied(str(server.hostname), server.port or 5432) as proxy:
        login = server.netloc.rpartition("@")[0]
        away = server._replace(netloc=f"{login}@127.0.0.1:{proxy.port}")
        door = await doors.open(urlunsplit(away))
        await door.post("warm")
        proxy.cut()

        outcomes = await door.post_all(("k1", "a"))

    assert isinstance(outcomes[0], Overloaded)
    assert doors.names() == ["good"]


async def test_unsorted_keys_of_two_processes_do_not_deadlock(doors: Doors) -> None:
    first, second = await doors.open(), await doors.open()
    for attempt in range(10):
        requests = [(f"{attempt}-{number}", "a") for number in range(60)]

        outcomes = await asyncio.gather(
            first.post_all(*requests), second.post_all(*reversed(requests))
        )

        assert [len(replies(each)) for each in outcomes] == [60, 60]
    assert len(doors.names()) == 600


async def test_a_hung_twin_costs_a_second_to_its_request_only(doors: Doors) -> None:
    hang = Hang()
    hung, door = await doors.open(act=hang), await doors.open()
    twin = asyncio.create_task(hung.post("k50", "a"))
    await hang.entered.wait()
    started = monotonic()
    waiting = asyncio.create_task(door.post_all(("k50", "a")))

    neighbours = await door.post_all(
        *[(f"k{number}", "a") for number in range(100) if number != 50]
    )
    neighbours_s = monotonic() - started
    outcomes = await waiting
    waited_s = monotonic() - started
    hang.released.set()

    assert len(replies(neighbours)) == 99
    assert neighbours_s < waited_s
    assert isinstance(outcomes[0], IdempotencyInProgress)
    assert waited_s >= 1.0
    assert (await door.post("k50", "a")).body == (await twin).body


async def test_a_key_row_held_by_a_foreign_session_costs_its_request_only(doors: Doors) -> None:
    door = await doors.open()
    with key_held(doors.url, "k50"):
        outcomes = await door.post_all(*[(f"k{number}", "a") for number in range(100)])

    assert isinstance(outcomes[50], IdempotencyInProgress)
    assert len(replies(outcomes)) == 99
    assert (await door.post("k50", "a")).status == 201


async def test_a_twin_that_ends_in_time_is_waited_for(doors: Doors) -> None:
    hang = Hang()
    slow, door = await doors.open(act=hang), await doors.open()
    twin = asyncio.create_task(slow.post("k1", "a"))
    await hang.entered.wait()
    waiting = asyncio.create_task(door.post("k1", "a"))
    await door.post("k2", "b")  # By now the twin's key was looked at at least once.
    hang.released.set()

    first, second = await twin, await waiting

    assert second.body == first.body
    assert second.headers[REPLAYED] == "true"
    assert doors.names() == ["a", "b"]


async def test_a_full_queue_refuses_and_what_was_accepted_is_answered(doors: Doors) -> None:
    door = await doors.open(flush_max=2, flushes_max=1, waiting_max=4)

    outcomes = await door.post_all(*[(f"k{number}", "a") for number in range(10)])

    refused = [outcome for outcome in outcomes if isinstance(outcome, Overloaded)]
    assert len(refused) == 6
    assert len(replies(outcomes)) == 4
    assert len(doors.names()) == 4


async def test_a_request_that_waited_too_long_is_refused_and_never_begun(doors: Doors) -> None:
    hang = Hang()
    door = await doors.open(act=hang, flush_max=1, flushes_max=1, deadline_ms=300, twin_wait_ms=100)
    begun = asyncio.create_task(door.post("k1", "a"))
    await hang.entered.wait()
    waiting = await door.post_all(("k2", "b"))
    with pytest.raises(OutcomeUnknown):
        await begun
    hang.released.set()
    await door.commits.drained()

    assert isinstance(waiting[0], Overloaded)
    assert doors.names() == ["a"]


async def test_draining_waits_for_every_accepted_request(doors: Doors) -> None:
    door = await doors.open(flush_max=4, flushes_max=1)
    posts = [asyncio.create_task(door.post(f"k{number}")) for number in range(20)]
    await asyncio.sleep(0)

    await door.commits.drained()

    assert all(post.done() for post in posts)
    assert len(doors.names()) == 20
