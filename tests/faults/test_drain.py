"""Processes are asked to end under load, also while a server is silent: nothing is lost."""

from collections import Counter
from time import monotonic
from typing import Any, Final

import httpx
import pytest

from loadtests.demo.evidence import TOPICS, read_topics
from tests.e2e.books import balanced
from tests.e2e.shop import Shop
from tests.e2e.stack import RunningStack
from tests.faults.buyers import buying, decided

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WORKERS: Final = ("worker-orders", "worker-inventory", "worker-payments")
RELAYS: Final = ("outbox-relay", "outbox-relay-2")
_BUYERS: Final = 16
# The drain's time and that for connections to close, after which a process would be killed; half
# of the drain's is enough where nobody else uses the machine.
_END_MAX_S: Final = 30.0
# None, unless the last commit of offsets has no answer in time: then what was done since the one
# before, a fifth of a second earlier.
_DOUBLED_MAX: Final = 20


def own_errors(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what our code calls an error; libraries do so with every lost connection."""
    return [
        line
        for line in lines
        if line["level"] in {"error", "critical"} and line["logger_name"].startswith("libs.")
    ]


async def duplicates(stack: RunningStack, worker: str) -> int:
    """Return how many messages this process was given that had taken effect already."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{stack.started(worker)['side_url']}/metrics")).text
    found = [line for line in text.splitlines() if 'outcome="duplicate"' in line]
    return sum(int(float(line.split()[-1])) for line in found if "_total{" in line)


async def repeats(stack: RunningStack) -> int:
    """Return how many records Kafka holds more than once."""
    ids = Counter(record.id for record in await read_topics(stack.kafka_bootstrap, TOPICS))
    return sum(count - 1 for count in ids.values())


async def test_relay_and_workers_end_under_load_without_loss_or_repeats(
    shop: Shop, own_stack: RunningStack
) -> None:
    before = await repeats(own_stack)
    ends: list[tuple[str | None, list[dict[str, Any]]]] = []
    doubled: dict[str, int] = {}
    async with buying(shop, _BUYERS) as buyers:
        for name in (await own_stack.active_relay(), *WORKERS):
            await buyers.until_accepted(100)
            await own_stack.replaced(name, own_stack.terminate(name))
            ends.append(own_stack.end_of(name))
        await buyers.until_accepted(100)
        doubled = {worker: await duplicates(own_stack, worker) for worker in WORKERS}

    await decided(own_stack, shop)
    orders = await shop.settled()
    repeated = await repeats(own_stack) - before
    print(f"{buyers.accepted} orders; repeated {repeated}, taken twice {doubled}")  # noqa: T201
    assert Counter(order.status for order in orders) == {"confirmed": buyers.accepted}
    assert await balanced(own_stack) == []
    assert {how for how, _ in ends} == {"ended with status 0"}
    assert [own_errors(lines) for _, lines in ends] == [[]] * len(ends)
    assert all("drain_finished" in [line["event"] for line in lines] for _, lines in ends)
    assert repeated == 0
    assert max(doubled.values()) <= _DOUBLED_MAX, doubled


@pytest.mark.parametrize("server", ["kafka", "postgres"])
async def test_while_a_server_is_silent_every_process_ends_in_time_and_well(
    shop: Shop, own_stack: RunningStack, server: str
) -> None:
    names = ("api", *RELAYS, *WORKERS)
    async with buying(shop, _BUYERS) as buyers:
        await buyers.until_accepted(50)
        with own_stack.frozen(server):
            await buyers.until_shed(20)
            asked_at_s = monotonic()
            pids = {name: own_stack.terminate(name) for name in names}
            for name, pid in pids.items():
                await own_stack.ended(name, pid)
            took_s = monotonic() - asked_at_s
        await own_stack.repaired()
        ends = {name: own_stack.end_of(name) for name in names}
        await buyers.until_accepted(50)

    print(f"all ended within {took_s:.1f} s without {server}")  # noqa: T201
    await decided(own_stack, shop)
    orders = await shop.settled()
    assert Counter(order.status for order in orders) == {"confirmed": buyers.accepted}
    assert await balanced(own_stack) == []
    assert took_s < _END_MAX_S
    assert {name: how for name, (how, _) in ends.items()} == dict.fromkeys(
        names, "ended with status 0"
    )
    assert {name: own_errors(lines) for name, (_, lines) in ends.items()} == {
        name: [] for name in names
    }
