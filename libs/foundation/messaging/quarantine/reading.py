"""Shows what is parked: keys, causes, the queue of one key with every attempt at it."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.parking import ParkedHeader
from libs.foundation.messaging.sql import parked_attempts, parked_listing, parking_stops
from libs.foundation.messaging.sql.parked_attempts import Attempt
from libs.foundation.messaging.sql.parked_listing import (
    FailureGroup,
    HeldKey,
    Narrowing,
    QueuedMessage,
)
from libs.foundation.messaging.sql.parking_stops import Stop

RELAY: Final = "outbox-relay"
_ATTEMPTS_MAX: Final = 1_000
# Headers whose values our own code makes. Of any other only the name is shown: nobody knows what
# a sender that is not ours has put there.
_KNOWN: Final = frozenset({"content-type", "traceparent", "tracestate", "replay"})
_KNOWN_BEGINNING: Final = "ce_"
_HIDDEN: Final = "(not shown)"


class ParkedKeys(Struct, frozen=True, kw_only=True):
    """Keys that are parked, the longest first, and who has stopped parking."""

    keys: list[HeldKey]
    matching: int
    stops: list[Stop]


class FailureGroups(Struct, frozen=True, kw_only=True):
    """Causes that keys are parked for, and who has stopped parking."""

    groups: list[FailureGroup]
    stops: list[Stop]


class ShownMessage(Struct, frozen=True, kw_only=True):
    """One message of a queue: where it came from, its headers and each attempt at it."""

    position: int
    partition: int
    log_offset: int | None
    id: UUID | None
    type: str | None
    headers: dict[str, str]
    parked_at: datetime
    attempts: int
    code: str
    error: str
    fingerprint: str | None
    history: list[Attempt]


class ShownKey(Struct, frozen=True, kw_only=True):
    """A parked key and the first messages of its queue, in the order in which they will run."""

    held: HeldKey
    queue: list[ShownMessage]


async def list_keys(tx: Transaction, narrowing: Narrowing, limit: int) -> ParkedKeys:
    """Return the parked keys that match."""
    return ParkedKeys(
        keys=await parked_listing.keys(tx, narrowing, limit),
        matching=await parked_listing.count(tx, narrowing),
        stops=await parking_stops.live(tx),
    )


async def list_causes(tx: Transaction, narrowing: Narrowing, limit: int) -> FailureGroups:
    """Return the parked keys that match, grouped by the fingerprint of their first message."""
    return FailureGroups(
        groups=await parked_listing.groups(tx, narrowing, limit),
        stops=await parking_stops.live(tx),
    )


async def show_key(
    tx: Transaction, owner: str, topic: str, key: str, limit: int
) -> ShownKey | None:
    """Return one parked key in full; None when it is not parked."""
    narrowing = Narrowing(owner=owner, topic=topic, key=key)
    found = await parked_listing.keys(tx, narrowing, 1)
    if not found:
        return None
    queue = await parked_listing.queue(tx, owner, topic, key, limit)
    positions = [message.position for message in queue]
    history = await parked_attempts.of_messages(
        tx,
        message_ids=[] if owner == RELAY else positions,
        seqs=positions if owner == RELAY else [],
        limit=_ATTEMPTS_MAX,
    )
    return ShownKey(held=found[0], queue=[_shown(message, history) for message in queue])


def _shown(message: QueuedMessage, history: list[Attempt]) -> ShownMessage:
    return ShownMessage(
        position=message.position,
        partition=message.partition,
        log_offset=message.log_offset,
        id=message.id,
        type=message.type,
        headers=shown_headers(message.headers),
        parked_at=message.parked_at,
        attempts=message.attempts,
        code=message.code,
        error=message.error,
        fingerprint=message.fingerprint,
        history=[attempt for attempt in history if attempt.position == message.position],
    )


def shown_headers(headers: str) -> dict[str, str]:
    """Return the headers of a parked message for people; values of strangers' are left out."""
    found = msgspec.json.decode(headers, type=list[ParkedHeader])
    return {
        header.name: header.text or "" if _is_known(header.name) else _HIDDEN for header in found
    }


def _is_known(name: str) -> bool:
    return name.startswith(_KNOWN_BEGINNING) or name in _KNOWN
