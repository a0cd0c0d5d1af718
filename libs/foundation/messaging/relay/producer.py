"""Publishes with an idempotent Kafka producer, one batch in flight per partition."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from time import monotonic
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka_errors
from aiokafka.errors import KafkaError
from msgspec import Struct

from libs.foundation.messaging.quarantine.failures import refusal_of
from libs.foundation.messaging.relay.errors import (
    ProducerFailed,
    PublishingForbidden,
    TopicsDiffer,
)
from libs.foundation.messaging.relay.publisher import Check, HeldBack, Lane, lanes_of
from libs.foundation.messaging.relay.records import headers_of
from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.retry import Backoff
from libs.foundation.runtime.interruption import interrupt
from libs.foundation.settings import KafkaSettings

_log: Final = get_logger(__name__)

_BATCH_BYTES_MAX: Final = 512 * 1_024
_REQUEST_BYTES_MAX: Final = 4 * 1_024 * 1_024
_CLOSE_MAX_S: Final = 2.0
_OPEN_MAX_S: Final = 30.0
_LOOK_S: Final = 1.0
_BACKOFF: Final = Backoff(first_ms=100, cap_ms=2_000)


class InvalidRecordError(kafka_errors.BrokerResponseError):
    """The broker's validation refused a record; aiokafka knows no such answer."""

    errno = 87
    message = "INVALID_RECORD"


# Without the entry this answer looks like an unknown failure of the broker and blocks the outbox.
kafka_errors.kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)


class Verdict(StrEnum):
    """What a failed batch means."""

    REFUSED = "refused"  # A record in it can never be written.
    FORBIDDEN = "forbidden"  # The relay may not write, until somebody lets it.
    NO_TOPIC = "no-topic"  # The topic is missing or another one than the contract says.
    AGAIN = "again"  # The broker could not do it now.
    FATAL = "fatal"  # This producer cannot be trusted any more.


_REFUSED: Final = (
    InvalidRecordError,
    kafka_errors.CorruptRecordException,
    kafka_errors.InvalidTimestampError,
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.RecordListTooLargeError,
    kafka_errors.RecordTooLargeError,
)
_FORBIDDEN: Final = (
    kafka_errors.AuthenticationFailedError,
    kafka_errors.ClusterAuthorizationFailedError,
    kafka_errors.TopicAuthorizationFailedError,
)
_NO_TOPIC: Final = (kafka_errors.InvalidTopicError, kafka_errors.UnknownTopicOrPartitionError)


def verdict_on(error: BaseException) -> Verdict:
    """Say what to do about the error of a batch."""
    if isinstance(error, _REFUSED):
        return Verdict.REFUSED
    if isinstance(error, _FORBIDDEN):
        return Verdict.FORBIDDEN
    if isinstance(error, _NO_TOPIC):
        return Verdict.NO_TOPIC
    if isinstance(error, KafkaError) and error.retriable:
        return Verdict.AGAIN
    return Verdict.FATAL


class _Failure(Struct, frozen=True):
    """A lane's batch that was not acknowledged."""

    lane: Lane
    rows: int
    error: KafkaError


class KafkaPublisher:
    """Publishes rows; made by `open_publisher`."""

    def __init__(self, kafka: KafkaSettings, topics: Mapping[str, int], *, stuck_s: float) -> None:
        self._kafka = kafka
        self._topics = topics
        self._stuck_s = stuck_s
        self._producer: Any = None
        self._progress_at_s = monotonic()

    async def publish(self, rows: Sequence[OutboxRow], may_send: Check) -> list[HeldBack]:
        """Publish as `Publisher` says; no deadline abandons a batch that may be on its way."""
        lanes = lanes_of(rows)
        unfinished = lanes
        self._progress_at_s = monotonic()
        failures = 0
        while unfinished:
            if self._producer is None:
                await self._open()
            failed = await self._send_all(unfinished, may_send)
            unfinished = [lane for lane in lanes if lane.rows]
            if failed:
                failures += 1
                await self._judge(failed)
                await self._pause(failed, failures)
        return [each for lane in lanes for each in lane.held_back]

    async def prepare(self) -> None:
        """Connect; raise Blocked unless every topic exists with its partition count."""
        if self._producer is None:
            await self._open()
        for topic, partitions in self._topics.items():
            await self._check_topic(topic, partitions)

    async def close(self) -> None:
        """Close the producer; what it has not sent by now it never sends."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_MAX_S):
                await producer.stop()
        except (KafkaError, OSError, TimeoutError) as error:
            _log.warning("producer_not_closed", error=repr(error))

    async def _check_topic(self, topic: str, partitions: int) -> None:
        try:
            found = len(await self._producer.partitions_for(topic))
        except KafkaError as error:
            raise self._blocked(topic, error) from error
        if found != partitions:
            raise TopicsDiffer(f"topic {topic} has {found} partitions, not {partitions}")

    def _blocked(self, topic: str, error: KafkaError) -> Exception:
        problem = f"topic {topic}: {error!r}"
        match verdict_on(error):
            case Verdict.FORBIDDEN:
                return PublishingForbidden(problem)
            case Verdict.NO_TOPIC:
                return TopicsDiffer(problem)
            case _:
                return ProducerFailed(problem)

    async def _send_all(self, lanes: Sequence[Lane], may_send: Check) -> list[_Failure]:
        """Send each lane up to its end or its first failure, and wait for every answer."""
        tasks = [asyncio.create_task(self._send_lane(lane, may_send)) for lane in lanes]
        pending = set(tasks)
        try:
            while pending:
                _, pending = await asyncio.wait(pending, timeout=_LOOK_S)
                self._refuse_to_wait_for_ever(pending)
        except asyncio.CancelledError:
            # A drain that a broker holds up: what is under way is repeated by the next relay.
            await interrupt(*pending)
            await self.close()
            raise
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [each for each in results if isinstance(each, _Failure)]

    def _refuse_to_wait_for_ever(self, pending: set[asyncio.Task[_Failure | None]]) -> None:
        waited_s = monotonic() - self._progress_at_s
        if pending and waited_s >= self._stuck_s:
            for task in pending:
                task.cancel()
            raise ProducerFailed(f"no batch was acknowledged for {waited_s:.0f} s")

    async def _send_lane(self, lane: Lane, may_send: Check) -> _Failure | None:
        while lane.rows:
            may_send()
            batch, count = self._fill(lane)
            try:
                if lane.partition not in await self._producer.partitions_for(lane.topic):
                    raise TopicsDiffer(f"topic {lane.topic} has no partition {lane.partition}")
                sent = await self._producer.send_batch(batch, lane.topic, partition=lane.partition)
                await sent
            except KafkaError as error:
                return _Failure(lane, count, error)
            lane.acknowledged(count)
            self._progress_at_s = monotonic()
        return None

    def _fill(self, lane: Lane) -> tuple[Any, int]:
        """Build the next batch; a row larger than a batch goes alone."""
        batch = self._producer.create_batch()
        append = batch.append
        count = 0
        for row in lane.rows[: lane.rows_max]:
            headers = headers_of(row)
            if append(key=row.key, value=row.payload, timestamp=None, headers=headers) is None:
                break
            count += 1
        return batch, count

    async def _judge(self, failed: Sequence[_Failure]) -> None:
        """Learn from failed batches, and close the producer: its sequence numbers have a gap."""
        for failure in failed:
            _log.warning(
                "batch_failed",
                topic=failure.lane.topic,
                partition=failure.lane.partition,
                rows=failure.rows,
                error=repr(failure.error),
            )
            if verdict_on(failure.error) is Verdict.REFUSED:
                failure.lane.refused(failure.rows, refusal_of(failure.error))
        await self.close()
        for failure in failed:
            if verdict_on(failure.error) not in {Verdict.REFUSED, Verdict.AGAIN}:
                raise self._blocked(failure.lane.topic, failure.error)

    async def _pause(self, failed: Sequence[_Failure], failures: int) -> None:
        if any(verdict_on(failure.error) is Verdict.AGAIN for failure in failed):
            await asyncio.sleep(_BACKOFF.delay_ms(failures) / 1_000)

    async def _open(self) -> None:
        """Start a producer, as long as it takes: a broker that is away is no fault of a row."""
        failures = 0
        while self._producer is None:
            producer: Any = AIOKafkaProducer(
                **self._kafka.client_arguments(),
                acks="all",
                enable_idempotence=True,
                max_batch_size=_BATCH_BYTES_MAX,
                max_request_size=_REQUEST_BYTES_MAX,
            )
            try:
                async with asyncio.timeout(_OPEN_MAX_S):
                    await producer.start()
            except (KafkaError, OSError) as error:
                await producer.stop()
                if verdict_on(error) is Verdict.FORBIDDEN:
                    raise PublishingForbidden(repr(error)) from error
                failures += 1
                _log.warning("broker_not_reached", error=repr(error))
                await asyncio.sleep(_BACKOFF.delay_ms(failures) / 1_000)
            else:
                self._producer = producer


@asynccontextmanager
async def open_publisher(
    kafka: KafkaSettings, topics: Mapping[str, int], *, stuck_s: float
) -> AsyncGenerator[KafkaPublisher]:
    """Make a publisher for `topics`, name to partition count; it connects when it is used."""
    publisher = KafkaPublisher(kafka, topics, stuck_s=stuck_s)
    try:
        yield publisher
    finally:
        await publisher.close()
