"""The `orderly` command as a person runs it beside a running stack."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from libs.testkit.eventually import eventually
from tests.e2e.books import settled
from tests.e2e.shop import Shop
from tests.e2e.stack import RunningStack

pytestmark = pytest.mark.timeout(300)

_ORDERLY: Final = Path(sys.executable).with_name("orderly")


def orderly(stack: RunningStack, *arguments: str, database_url: str | None = None) -> str:
    """Run the command and return what it prints; as the reader in stack.env unless said so."""
    environment = {
        **os.environ,
        "OPERATOR_DATABASE_URL": database_url or stack.database_url,
        "OPERATOR_KAFKA_BOOTSTRAP_SERVERS": stack.kafka_bootstrap,
    }
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
