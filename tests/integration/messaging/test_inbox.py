"""Claims: one for each consumer and message, on both sides of midnight, whoever comes first."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import transaction
from libs.foundation.ids import first_id_at, new_id
from libs.foundation.messaging import inbox
from libs.foundation.messaging.inbox import InboxWindow, InboxWindowMoved
from tests.integration.messaging.consumer_toys import Toys


@pytest.fixture
async def pool(toys: Toys) -> AsyncIterator[Pool]:
    async with toys.pool() as pool:
        yield pool


def id_at(moment: datetime) -> UUID:
    return UUID(int=first_id_at(moment).int | (new_id().int & ((1 << 80) - 1)))


async def claim(pool: Pool, *event_ids: UUID, consumer: str = "toys-worker") -> set[UUID]:
    async with transaction(pool) as tx:
        return await inbox.claim(tx, consumer, event_ids)


async def test_a_message_is_claimed_once_by_each_consumer(pool: Pool) -> None:
    event_id = new_id()

    assert await claim(pool, event_id) == {event_id}
    assert await claim(pool, event_id) == set()
    assert await claim(pool, event_id, consumer="others-worker") == {event_id}


async def test_messages_of_both_sides_of_midnight_are_claimed_once(pool: Pool) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    before, after = id_at(midnight - timedelta(milliseconds=1)), id_at(midnight)

    assert await claim(pool, before, after) == {before, after}
    assert await claim(pool, after, before) == set()


async def test_a_rolled_back_claim_is_free_again(pool: Pool) -> None:
    event_id = new_id()
    with pytest.raises(KeyError):
        await claim_and_fail(pool, event_id)

    assert await claim(pool, event_id) == {event_id}


async def claim_and_fail(pool: Pool, event_id: UUID) -> None:
    async with transaction(pool) as tx:
        await inbox.claim(tx, "toys-worker", [event_id])
        raise KeyError


async def test_a_second_claimant_waits_for_the_first_and_then_knows(pool: Pool) -> None:
    event_id = new_id()
    async with transaction(pool) as tx:
        await inbox.claim(tx, "toys-worker", [event_id])
        second = asyncio.create_task(claim(pool, event_id))
        done, _ = await asyncio.wait([second], timeout=0.1)
        assert not done

    assert await second == set()


async def test_ids_without_a_partition_say_that_the_window_moved(pool: Pool) -> None:
    for offset in (timedelta(days=-30), timedelta(days=30)):
        with pytest.raises(InboxWindowMoved):
            await claim(pool, id_at(datetime.now(UTC) + offset))


async def test_the_window_is_what_the_partitions_hold(pool: Pool) -> None:
    window = InboxWindow()
    now = datetime.now(UTC)

    await window.refresh(pool)

    assert not window.is_outside(id_at(now - timedelta(days=7)))
    assert window.is_outside(id_at(now - timedelta(days=10)))
