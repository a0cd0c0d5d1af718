"""The verbs for what is parked, run as an operator runs them, beside the process that acts."""

import json
from typing import Any
from uuid import uuid4

import pytest

from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from tests.integration.messaging.consumer_toys import Refused, ToyHandler, Toys, definition
from tests.integration.messaging.parked_toys import CAUSE, ParkedToys
from tests.integration.operator.asking import orderly

OTHER_CAUSE = "CheckViolation@toys.py:add"
WHY = ("--reason", "ticket 7", "--by", "ada")


@pytest.fixture
def parked(database: Database) -> ParkedToys:
    found = ParkedToys(Toys(database, "nowhere"), f"toys-{uuid4().hex[:8]}")
    found.park("k1", [1, 2, 3])
    found.park("k2", [1])
    found.park("k3", [1, 2], fingerprint=OTHER_CAUSE)
    return found


async def run(
    parked: ParkedToys, *arguments: str, role: str = "orderly_operator"
) -> tuple[int, str]:
    return await orderly(*arguments, OPERATOR_DATABASE_URL=parked.toys.database.url_for(role))


async def as_json(parked: ParkedToys, *arguments: str) -> tuple[int, dict[str, Any]]:
    code, output = await run(parked, *arguments, "--json")
    return code, json.loads(output)


async def requests(parked: ParkedToys) -> list[tuple[Any, ...]]:
    return await parked.toys.rows("SELECT id FROM messaging.operator_requests")


async def test_keys_are_listed_by_what_they_wait_for(parked: ParkedToys) -> None:
    code, found = await as_json(parked, "parked", "list", "--fingerprint", CAUSE)
    _, text = await run(parked, "parked", "list", "--by", "fingerprint", role="orderly_reader")
    _, groups = await as_json(parked, "parked", "list", "--by", "fingerprint")

    assert code == 0
    assert [(held["key"], held["messages"]) for held in found["keys"]] == [("k1", 3), ("k2", 1)]
    assert found["matching"] == 2
    counts = {
        group["fingerprint"]: (group["keys"], group["messages"]) for group in groups["groups"]
    }
    assert counts == {CAUSE: (2, 4), OTHER_CAUSE: (1, 2)}
    assert CAUSE in text
    assert OTHER_CAUSE in text


@pytest.mark.parametrize(
    ("narrowing", "keys"),
    [
        (("--key", "k2"), ["k2"]),
        (("--topic", "toys.events"), ["k1", "k2", "k3"]),
        (("--topic", "nowhere"), []),
        (("--type", "toys.noted.v1"), ["k1", "k2", "k3"]),
        (("--code", "toy-refused"), ["k1", "k2", "k3"]),
        (("--older-than", "1h"), []),
        (("--older-than", "0s"), ["k1", "k2", "k3"]),
    ],
)
async def test_the_list_is_narrowed_by_what_is_given(
    parked: ParkedToys, narrowing: tuple[str, ...], keys: list[str]
) -> None:
    _, found = await as_json(parked, "parked", "list", parked.owner, *narrowing)

    assert sorted(held["key"] for held in found["keys"]) == keys


async def test_a_key_is_shown_with_its_queue_and_neither_bodies_nor_strangers_headers(
    parked: ParkedToys,
) -> None:
    place = (parked.owner, parked.topic, "k1")
    code, found = await as_json(parked, "parked", "show", *place)
    _, text = await run(parked, "parked", "show", *place, role="orderly_reader")
    missing, _ = await run(parked, "parked", "show", parked.owner, parked.topic, "k9")

    assert (code, missing) == (0, 1)
    assert [message["log_offset"] for message in found["queue"]] == [1, 2, 3]
    assert found["queue"][0]["headers"] == {"ce_type": "toys.noted.v1", "x-user": "(not shown)"}
    assert "1. message" in text
    assert "partition 0 offset 1" in text
    for told in (json.dumps(found), text):
        assert "ada" not in told
        assert "body" not in told


async def test_a_dry_run_says_what_would_be_done_and_asks_for_nothing(parked: ParkedToys) -> None:
    one = await run(parked, "parked", "skip", parked.owner, parked.topic, "k1", "--dry-run")
    _, many = await as_json(parked, "parked", "retry", "--fingerprint", CAUSE, "--dry-run")

    head = await parked.head("k1")
    assert one[0] == 0, one[1]
    assert f"leave {head} out for ever, which leaves a gap; then run 2 in order" in one[1]
    assert [(each["key"]["key"], each["effect"]) for each in many["keys"]] == [
        ("k1", f"run 3 in order from {head}"),
        ("k2", f"run 1 in order from {await parked.head('k2')}"),
    ]
    assert await requests(parked) == []


async def test_many_keys_without_yes_are_refused_with_the_dry_run(parked: ParkedToys) -> None:
    code, output = await run(parked, "parked", "retry", "--fingerprint", CAUSE, *WHY)
    in_json, found = await as_json(parked, "parked", "retry", parked.owner, *WHY)

    assert (code, in_json) == (1, 1)
    assert "dry run: retry 2 keys" in output
    assert "nothing was asked for" in output
    assert found["matching"] == 3
    assert await requests(parked) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--yes", *WHY), "name a key, narrow the choice, or give --all"),
        (("--all", "--yes"), "a reason is required"),
        (("--code", "unheard-of", "--yes", *WHY), "nothing that matches is parked"),
        (("--older-than", "yesterday", "--yes", *WHY), "no time like"),
    ],
)
async def test_what_cannot_be_asked_for_is_refused_in_words(
    parked: ParkedToys, arguments: tuple[str, ...], words: str
) -> None:
    code, output = await run(parked, "parked", "retry", *arguments)

    assert code == 1
    assert words in output
    assert await requests(parked) == []


async def test_many_keys_are_retried_with_a_result_for_each_and_an_entry_in_the_audit(
    parked: ParkedToys,
) -> None:
    handler = ToyHandler()
    handler.refused["k1", 2] = Refused("still broken")
    async with parked.running(definition(parked.owner, [], handler)):
        code, found = await as_json(parked, "parked", "retry", "--all", "--yes", *WHY)

    assert code == 1, found
    assert found["request"]["outcome"] == "stopped: 2 keys done, 1 stopped, 0 refused"
    results = {item["key"]: (item["result"], item["handled"]) for item in found["items"]}
    assert results == {"k1": ("stopped", 1), "k2": ("done", 1), "k3": ("done", 2)}
    _, audit = await as_json(parked, "audit", "list", "--by", "ada", "--key", "k2")
    (entry,) = audit["requests"]
    assert (entry["id"], entry["verb"], entry["reason"]) == (
        found["request"]["id"],
        "retry",
        "ticket 7",
    )
    assert (entry["keys"], entry["done"], entry["stopped"]) == (3, 2, 1)
    _, shown = await run(parked, "audit", "show", entry["id"], role="orderly_reader")
    assert "stopped at message" in shown
    assert "still broken" in shown


async def test_one_key_is_skipped_and_the_gap_is_told(parked: ParkedToys) -> None:
    async with parked.running(definition(parked.owner, [])):
        code, output = await run(parked, "parked", "skip", parked.owner, parked.topic, "k1", *WHY)

    assert code == 0, output
    assert "1 left out for ever, which leaves a gap" in output
    assert await parked.toys.effects_of("k1") == [2, 3]
    assert await parked.parked_keys() == ["k2", "k3"]


async def test_a_command_that_was_cut_off_goes_on_when_it_is_given_again(
    parked: ParkedToys,
) -> None:
    command = ("parked", "retry", parked.owner, "--yes", *WHY, "--wait-s", "0.1")
    code, waiting = await run(parked, *command)
    again, output = await run(parked, *command)

    assert (code, again) == (3, 3), output
    assert "3 keys" in waiting
    assert "it stays asked for" in waiting
    assert "asked before, goes on" in output
    assert len(await requests(parked)) == 1
    async with parked.running(definition(parked.owner, [])):
        await eventually(parked.parked_keys, lambda keys: keys == [])


async def test_what_was_asked_for_is_stopped_and_the_audit_says_by_whom(parked: ParkedToys) -> None:
    await run(parked, "parked", "retry", parked.owner, "--yes", *WHY, "--wait-s", "0.1")
    ((request,),) = await requests(parked)
    stop = ("parked", "stop", str(request), "--reason", "the wrong cause")

    waiting, _ = await run(parked, *stop, "--wait-s", "0.1")
    async with parked.runner(definition(parked.owner, [])) as runner:
        await runner.look()
    again, output = await run(parked, *stop)
    _, audit = await as_json(parked, "audit", "list", "--verb", "stop")

    assert (waiting, again) == (3, 1)
    assert "is under way" in output
    (entry,) = audit["requests"]
    assert entry["outcome"] == "finished: stopped: 0 keys done, 3 stopped, 0 refused"
    assert entry["key_selection"] == {"request": str(request)}
    assert await parked.parked_keys() == ["k1", "k2", "k3"]


async def test_what_looks_like_markup_or_a_command_of_the_terminal_is_shown_as_it_is(
    parked: ParkedToys,
) -> None:
    parked.park("[red]k\x1b[2J", [1])

    _, output = await run(parked, "parked", "list", "--key", "[red]k\x1b[2J")

    assert "[red]k\\x1b[2J" in output
    assert "\x1b" not in output


async def test_an_audit_of_nothing_says_so(parked: ParkedToys) -> None:
    code, output = await run(parked, "audit", "list")
    missing, _ = await run(parked, "audit", "show", str(uuid4()))

    assert (code, missing) == (0, 1)
    assert "nobody has asked for anything" in output


async def test_a_reader_sees_that_nothing_is_parked(database: Database) -> None:
    code, output = await orderly(
        "parked", "list", OPERATOR_DATABASE_URL=database.url_for("orderly_reader")
    )

    assert (code, output) == (0, "nothing is parked\n")
