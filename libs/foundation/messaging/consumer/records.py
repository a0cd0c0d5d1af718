"""Decides what becomes of each record of a batch before the database is asked: pure code."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.foundation.ids import first_id_at, is_time_ordered
from libs.foundation.messaging.definitions import BodyDecoder, ConsumedTopic, ConsumerDefinition
from libs.foundation.messaging.envelope import BadEnvelopeError, Envelope, read_envelope
from libs.foundation.messaging.quarantine.failures import Failure, poison_of, refused

# Clocks of our own machines differ by less; an id further ahead would claim a far partition.
_AHEAD_MAX: Final = timedelta(minutes=5)
_KEY_CHARACTERS_MAX: Final = 255
# What decoding raises over bytes that no retry makes readable.
UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Record(Protocol):
    """A record as it came from Kafka; `timestamp` is in milliseconds since the epoch."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a message parks; `code` is one stable word, `error` is for people."""

    code: str
    error: str
    attempts: int = 1
    failures: Sequence[Failure] = ()

    @property
    def fingerprint(self) -> str | None:
        """Of the last failure; None for a message that has not failed itself."""
        return self.failures[-1].fingerprint if self.failures else None


def refusal_for(*failures: Failure) -> Refusal:
    """Refuse a message that has failed so often, for the reason of the last time."""
    last = failures[-1]
    return Refusal(code=last.code, error=last.error, attempts=len(failures), failures=failures)


class Item(Struct, frozen=True, kw_only=True):
    """One record on its way: to its handler, or, with a `refusal`, to the parked messages.

    `event_id` is None when it cannot be trusted; only `claimable` ids enter the inbox.
    """

    record: Record
    key: str
    event_id: UUID | None = None
    claimable: bool = False
    type: str | None = None
    subject: str | None = None
    traceparent: str | None = None
    message: Any = None
    refusal: Refusal | None = None


class Sorted(Struct, frozen=True, kw_only=True):
    """A batch after sorting: what is left to do, in offset order, and the types skipped."""

    items: Sequence[Item]
    skipped: Sequence[str]


def sort_batch(
    definition: ConsumerDefinition, topic: ConsumedTopic, batch: Sequence[Record], now: datetime
) -> Sorted:
    """Decode each record; refuse, skip or pass it on."""
    newest = first_id_at(now + _AHEAD_MAX)
    items: list[Item] = []
    skipped: list[str] = []
    for record in batch:
        item = _sort(definition, topic, record, newest)
        if isinstance(item, str):
            skipped.append(item)
        else:
            items.append(item)
    return Sorted(items=items, skipped=skipped)


def _sort(
    definition: ConsumerDefinition, topic: ConsumedTopic, record: Record, newest: UUID
) -> Item | str:
    """Return the item, or the type when the record is to be skipped."""
    key = key_text(record.key)
    try:
        envelope = read_envelope(record.headers)
    except BadEnvelopeError as error:
        refusal = refusal_for(poison_of(error, "bad-envelope"))
        return Item(record=record, key=key, refusal=refusal)
    refusal = _refuse_id(envelope.id, newest)
    if refusal is not None:
        return Item(record=record, key=key, type=envelope.type, refusal=refusal)
    if envelope.type in definition.handlers:
        return _decode(definition.decoders[envelope.type], record, key, envelope)
    if envelope.type in definition.decoders or topic.accepts_unknown_types:
        return envelope.type
    refusal = refusal_for(refused("unknown-type", f"no contract has the type {envelope.type}"))
    return _item(record, key, envelope, refusal=refusal)


def _decode(decoder: BodyDecoder, record: Record, key: str, envelope: Envelope) -> Item:
    try:
        message = decoder.decode(record.value or b"")
    except UNDECODABLE as error:
        refusal = refusal_for(poison_of(error, "undecodable"))
        return _item(record, key, envelope, refusal=refusal)
    return _item(record, key, envelope, message=message)


def _item(
    record: Record,
    key: str,
    envelope: Envelope,
    *,
    message: object = None,
    refusal: Refusal | None = None,
) -> Item:
    return Item(
        record=record,
        key=key,
        event_id=envelope.id,
        claimable=True,
        type=envelope.type,
        subject=envelope.subject or key,
        traceparent=envelope.traceparent,
        message=message,
        refusal=refusal,
    )


def _refuse_id(event_id: UUID, newest: UUID) -> Refusal | None:
    if not is_time_ordered(event_id):
        return refusal_for(refused("bad-id", f"the id {event_id} is no UUIDv7"))
    # Ids are compared, not times: the largest UUIDv7 lies beyond what a datetime can hold.
    if event_id > newest:
        return refusal_for(refused("bad-id", f"the id {event_id} lies in the future"))
    return None


def key_text(key: bytes | None) -> str:
    """Return the key as text that a database can store; a missing key is empty text.

    Longer keys than any contract makes are cut: those that share a beginning share an order.
    """
    text = (key or b"").decode(errors="backslashreplace").replace("\0", "\\x00")
    return text[:_KEY_CHARACTERS_MAX]
