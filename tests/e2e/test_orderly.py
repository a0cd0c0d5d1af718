"""The `orderly` command as a person runs it beside a running stack."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import psycopg
import pytest

from libs.testkit.eventually import eventually
from tests.e2e.books import balanced, settled
from tests.e2e.commands import environment_of
from tests.e2e.shop import Shop
from tests.e2e.stack import RunningStack

pytestmark = pytest.mark.timeout(300)

_ORDERLY: Final = Path(sys.executable).with_name("orderly")
_EFFECTS: Final = """
    SELECT (SELECT count(*) FROM orders.timeline), (SELECT count(*) FROM inventory.movements),
        (SELECT sum(attempts) FROM payments.operations), (SELECT count(*) FROM messaging.inbox),
        (SELECT count(*) FROM messaging.parked_messages),
        (SELECT count(*) FROM messaging.outbox WHERE replay_request IS NULL)"""


def orderly(stack: RunningStack, *arguments: str, database_url: str | None = None) -> str:
    """Run the installed command and return what it prints."""
    environment = environment_of(stack, database_url)
    done = subprocess.run(
        [_ORDERLY, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_topics_of_a_stack_are_as_their_contracts_say(stack: RunningStack) -> None:
    assert orderly(stack, "topics", "check") == "5 topics are as their contracts say\n"


async def test_a_stack_without_work_has_published_everything_and_parked_nothing(
    shop: Shop, own_stack: RunningStack
) -> None:
    await shop.place(await shop.sell())
    await settled(own_stack)

    status = orderly(own_stack, "outbox", "status")
    parked = orderly(own_stack, "parked", "list")

    assert re.search(r"^relay: \S+, epoch [1-9][0-9]*, active$", status, re.MULTILINE)
    assert re.search(r"^unpublished: 0 rows", status, re.MULTILINE)
    assert parked == "nothing is parked\n"


async def test_the_relay_that_hands_over_is_followed_by_the_standby(
    shop: Shop, own_stack: RunningStack
) -> None:
    before = await own_stack.active_relay()

    orderly(
        own_stack,
        *("outbox", "handover", "--reason", "a test"),
        database_url=own_stack.superuser_url,
    )

    await eventually(own_stack.active_relay, lambda active: active != before)
    order = await shop.final(await shop.place(await shop.sell()))
    assert order.status == "confirmed"


async def test_a_replay_of_everything_has_no_second_effect(
    shop: Shop, own_stack: RunningStack
) -> None:
    sku = await shop.sell(pieces=5)
    for _ in range(7):
        await shop.place(sku)
    await settled(own_stack)
    before = effects(own_stack)
    dry_run = json.loads(orderly(own_stack, "replay", "--json"))
    chosen = sum(topic["chosen"] for topic in dry_run["topics"])

    printed = orderly(
        own_stack,
        *("replay", "--rate-per-s", "5000", "--reason", "a test", "--wait-s", "60"),
        database_url=own_stack.superuser_url,
    )
    await eventually(lambda: lag(own_stack), lambda messages: messages == 0)

    assert chosen >= 7 * 5
    assert f"finished: {chosen} copies were published" in printed
    assert effects(own_stack) == before
    assert {
        (each["processed"], each["queued"], each["refused"]) for each in dry_run["consumers"]
    } == {(0, 0, 0)}
    assert await balanced(own_stack) == []


async def test_a_stack_at_work_is_in_order(own_stack: RunningStack) -> None:
    await own_stack.active_relay()

    findings = json.loads(orderly(own_stack, "doctor", "--json"))["findings"]

    assert [each for each in findings if each["verdict"] in {"broken", "unknown"}] == []
    assert {"schema", "roles", "clock", "relay", "topics", "durability"} <= {
        each["check"] for each in findings
    }
    orderly(own_stack, "partitions")
    orderly(own_stack, "relay", "status")


def effects(stack: RunningStack) -> tuple[int, ...]:
    with psycopg.connect(stack.superuser_url) as connection:
        return connection.execute(_EFFECTS).fetchall()[0]


def lag(stack: RunningStack) -> int:
    """Count the messages that consumers have not finished."""
    status = json.loads(orderly(stack, "consumers", "status", "--sample-s", "0.1", "--json"))
    return sum(topic["lag_messages"] for each in status["consumers"] for topic in each["topics"])
