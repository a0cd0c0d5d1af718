"""How far consumers are behind, how fast they catch up, and what they have set aside."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Final

from aiokafka.errors import KafkaError
from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.replay.selection import Reader
from libs.foundation.messaging.sql import consumer_status, parking_stops
from libs.foundation.messaging.sql.consumer_status import ParkedSummary
from libs.foundation.messaging.status.lag import GroupOffsets, LagReader, open_lag_reader
from libs.foundation.messaging.status.outbox import drain_s
from libs.foundation.settings import KafkaSettings

_BROKER_S: Final = 15.0


class TopicLag(Struct, frozen=True, kw_only=True):
    """What waits of one topic; `lag_s` is the age of the oldest, None when it is not known."""

    topic: str
    lag_messages: int
    lag_s: float | None


class ConsumerStatus(Struct, frozen=True, kw_only=True):
    """One consumer; whatever the brokers have not told is None.

    `finished_per_s` and `arrived_per_s` are those of the moment of looking. `parking_stopped` says
    whether a process of it parks no more until it is told to go on.
    """

    name: str
    members: int | None
    topics: list[TopicLag] | None
    finished_per_s: float | None
    arrived_per_s: float | None
    drain_s: float | None
    parked_keys: int
    parked_oldest_s: float
    parking_stopped: bool


class ConsumersStatus(Struct, frozen=True, kw_only=True):
    """Every consumer; `broker_problem` says why its part is unknown."""

    consumers: list[ConsumerStatus]
    broker_problem: str | None


class _Lag(Struct, frozen=True, kw_only=True):
    members: int
    topics: list[TopicLag]
    finished_per_s: float
    arrived_per_s: float


async def consumers_status(
    connection: Connection, kafka: KafkaSettings, readers: Sequence[Reader], *, sample_s: float
) -> ConsumersStatus:
    """Look twice, `sample_s` apart; a broker that is away makes its part unknown, no error."""
    parked = {
        each.consumer: each
        for each in await consumer_status.parked(connection, [reader.name for reader in readers])
    }
    stopped = {stop.owner for stop in await parking_stops.live(Transaction(connection))}
    lags: dict[str, _Lag] = {}
    problem: str | None = None
    try:
        async with asyncio.timeout(_BROKER_S + sample_s), open_lag_reader(kafka) as brokers:
            lags = await _lags(brokers, readers, sample_s)
    except (KafkaError, OSError, TimeoutError) as error:
        problem = f"the brokers do not answer: {type(error).__name__}"
    return ConsumersStatus(
        consumers=[
            _status(
                reader,
                lags.get(reader.name),
                parked.get(reader.name),
                parking_stopped=reader.name in stopped,
            )
            for reader in readers
        ],
        broker_problem=problem,
    )


async def _lags(brokers: LagReader, readers: Sequence[Reader], sample_s: float) -> dict[str, _Lag]:
    began_s = monotonic()
    first = [await brokers.offsets(reader.name, reader.topics) for reader in readers]
    await asyncio.sleep(sample_s)
    found: dict[str, _Lag] = {}
    for reader, before in zip(readers, first, strict=True):
        after = await brokers.offsets(reader.name, reader.topics)
        between_s = monotonic() - began_s
        ages = await brokers.oldest_s(after.behind)
        found[reader.name] = _Lag(
            members=after.members,
            topics=[
                TopicLag(topic=topic, lag_messages=after.lag(topic), lag_s=ages.get(topic, 0.0))
                for topic in reader.topics
            ],
            finished_per_s=_grown(before, after) / between_s,
            arrived_per_s=_arrived(before, after) / between_s,
        )
    return found


def _grown(before: GroupOffsets, after: GroupOffsets) -> int:
    return max(0, sum(after.next.values()) - sum(before.next.values()))


def _arrived(before: GroupOffsets, after: GroupOffsets) -> int:
    return max(0, sum(after.ends.values()) - sum(before.ends.values()))


def _status(
    reader: Reader, lag: _Lag | None, parked: ParkedSummary | None, *, parking_stopped: bool
) -> ConsumerStatus:
    waiting = sum(topic.lag_messages for topic in lag.topics) if lag else 0
    return ConsumerStatus(
        name=reader.name,
        members=lag.members if lag else None,
        topics=lag.topics if lag else None,
        finished_per_s=lag.finished_per_s if lag else None,
        arrived_per_s=lag.arrived_per_s if lag else None,
        drain_s=drain_s(waiting, lag.finished_per_s, lag.arrived_per_s) if lag else None,
        parked_keys=parked.keys if parked else 0,
        parked_oldest_s=parked.oldest_s if parked else 0.0,
        parking_stopped=parking_stopped,
    )
