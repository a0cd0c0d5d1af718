"""What the answers of a broker mean, and what happens when none comes."""

import asyncio

import pytest
from aiokafka import errors
from aiokafka.errors import KafkaError, for_code

from libs.foundation.messaging.relay.errors import ProducerFailed, PublishingForbidden
from libs.foundation.messaging.relay.producer import KafkaPublisher, Verdict, verdict_on
from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from libs.foundation.settings import KafkaSettings

ROW = OutboxRow(
    seq=1,
    topic=b"toys.events",
    partition=0,
    key=b"toy",
    id=b"0190b5d2-aaaa-7bbb-8ccc-1234567890ab",
    type=b"toys.changed.v1",
    source=b"/orderly/toys",
    occurred_at=b"2026-11-23 08:00:00",
    sequence=1,
    traceparent=None,
    payload=b"{}",
    written_at_s=0.0,
)
INVALID_RECORD = 87


class StubBatch:
    def append(self, **_record: object) -> object:
        return object()


class StubProducer:
    """A producer whose batches end as the test says; None means that no answer comes."""

    def __init__(self, error: KafkaError | None) -> None:
        self._error = error

    def create_batch(self) -> StubBatch:
        return StubBatch()

    async def partitions_for(self, topic: str) -> set[int]:
        return {0}

    async def send_batch(
        self, batch: StubBatch, topic: str, *, partition: int
    ) -> asyncio.Future[None]:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._error is not None:
            answer.set_exception(self._error)
        return answer

    async def stop(self) -> None: ...


def publisher_with(error: KafkaError | None) -> KafkaPublisher:
    settings = KafkaSettings(bootstrap_servers="nowhere:9092")
    publisher = KafkaPublisher(settings, {}, stuck_s=0.1)
    publisher._producer = StubProducer(error)  # pyright: ignore[reportPrivateUsage] - a stub.
    return publisher


def allow() -> None:
    """Let everything be sent."""


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (errors.MessageSizeTooLargeError(), Verdict.REFUSED),
        (errors.InvalidTimestampError(), Verdict.REFUSED),
        (for_code(INVALID_RECORD)(), Verdict.REFUSED),
        (errors.TopicAuthorizationFailedError("toys.events"), Verdict.FORBIDDEN),
        (errors.UnknownTopicOrPartitionError(), Verdict.NO_TOPIC),
        (errors.NotLeaderForPartitionError(), Verdict.AGAIN),
        (errors.NotEnoughReplicasError(), Verdict.AGAIN),
        (errors.KafkaConnectionError(), Verdict.AGAIN),
        (errors.OutOfOrderSequenceNumber(), Verdict.FATAL),
        (errors.ProducerFenced(), Verdict.FATAL),
        (KafkaError("Unexpected error during batch delivery"), Verdict.FATAL),
        (errors.UnknownError(), Verdict.FATAL),
    ],
)
def test_only_a_record_that_can_never_be_written_is_refused(
    error: KafkaError, verdict: Verdict
) -> None:
    assert verdict_on(error) is verdict


async def test_a_producer_without_an_answer_for_too_long_fails() -> None:
    with pytest.raises(ProducerFailed, match="no batch was acknowledged"):
        await publisher_with(None).publish([ROW], allow)


async def test_a_producer_whose_sequence_broke_is_not_used_again() -> None:
    with pytest.raises(ProducerFailed, match="OutOfOrderSequenceNumber"):
        await publisher_with(errors.OutOfOrderSequenceNumber()).publish([ROW], allow)


async def test_a_forbidden_topic_blocks_and_names_the_remedy() -> None:
    with pytest.raises(PublishingForbidden, match="Grant"):
        await publisher_with(errors.TopicAuthorizationFailedError("t")).publish([ROW], allow)
