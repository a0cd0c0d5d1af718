"""Appends messages to the outbox inside the transaction that makes them true."""

from collections.abc import Sequence
from typing import ClassVar, Final, Protocol

import msgspec
from msgspec import Struct

from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Locked, Transaction
from libs.foundation.errors import AppError, ErrorKind
from libs.foundation.ids import new_id
from libs.foundation.messaging.partitions import partition_of
from libs.foundation.messaging.sql import outbox
from libs.foundation.messaging.tracing import traceparent_for

# Kafka refuses records over its own limit of 1 MiB; refusing here fails the writer, not the relay.
BODY_BYTES_MAX: Final = 900_000
_encode: Final = msgspec.json.Encoder().encode


class TopicShape(Protocol):
    """Where a message goes; the partition count is part of the contract."""

    @property
    def name(self) -> str: ...
    @property
    def partitions(self) -> int: ...


class OutboxMessage(Protocol):
    """A struct whose body is its JSON and whose class says how it travels."""

    type: ClassVar[str]
    source: ClassVar[str]
    aggregate_type: ClassVar[str]

    @property
    def sent_to(self) -> TopicShape: ...
    @property
    def subject(self) -> str: ...


class Aggregate(Protocol):
    """What a lock is held on."""

    @property
    def aggregate_id(self) -> str: ...


class Outgoing(Struct, frozen=True, kw_only=True):
    """One message to append; `sequence` is the aggregate's counter, None for a command.

    `traceparent` is given where one transaction serves many requests; else the current one is
    taken.
    """

    message: OutboxMessage
    sequence: int | None = None
    traceparent: str | None = None


class NotLockedError(RuntimeError):
    """A bug in the caller: it announces a change of an aggregate whose lock it does not hold."""


class MessageTooLargeError(AppError):
    """The encoded body is larger than any topic accepts."""

    kind = ErrorKind.UNPROCESSABLE
    code = "message-too-large"


async def append(tx: Transaction, locked: Locked[Aggregate], outgoing: Sequence[Outgoing]) -> None:
    """Append `outgoing` in order; every subject must be one of the `locked` aggregates.

    Raises NotLockedError and MessageTooLargeError before anything is written.
    """
    if not outgoing:
        return
    held = {aggregate.aggregate_id for aggregate in locked}
    await outbox.insert(tx, [_row(item, held) for item in outgoing])


def _row(item: Outgoing, held: set[str]) -> outbox.NewRow:
    message = item.message
    subject = message.subject
    if subject not in held:
        raise NotLockedError(f"{message.type} about {subject}: no lock is held on it")
    body = _encode(message)
    if len(body) > BODY_BYTES_MAX:
        raise MessageTooLargeError(f"{message.type} about {subject} has {len(body)} bytes")
    return outbox.NewRow(
        id=new_id(),
        aggregatetype=message.aggregate_type,
        aggregateid=subject,
        type=message.type,
        topic=message.sent_to.name,
        partition=partition_of(subject, message.sent_to.partitions),
        source=message.source,
        sequence=item.sequence,
        occurred_at=utc_now(),
        traceparent=item.traceparent or traceparent_for(subject),
        payload=body,
    )
