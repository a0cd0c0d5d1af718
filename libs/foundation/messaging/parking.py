"""Sets messages aside with their key: what comes later for the key queues, all others flow."""

import asyncio
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

import msgspec
from msgspec import Struct

from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.consumer.records import Item, Refusal
from libs.foundation.messaging.quarantine.attempts import failed
from libs.foundation.messaging.sql import parked, parked_attempts

_WINDOW_S: Final = 60.0
_QUEUED: Final = Refusal(
    code="queued", error="an earlier message of this key is parked", attempts=0
)


class ParkedHeader(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One header: readable text where it is text, else its bytes."""

    name: str
    text: str | None = None
    base64: str | None = None


class ParkingBudget:
    """Counts the keys a process parks; once a minute has too many, parking stops until resumed.

    Then a release or a producer is broken rather than messages, and parking them one by one
    would leave thousands of keys to repair by hand.
    """

    def __init__(self, keys_per_minute_max: int, clock: Callable[[], float] = monotonic) -> None:
        self.keys_max = keys_per_minute_max
        self._clock = clock
        self._parked_at: deque[float] = deque()
        self.flowing = asyncio.Event()
        self.flowing.set()

    @property
    def exhausted(self) -> bool:
        """Whether parking has stopped."""
        return not self.flowing.is_set()

    def take(self) -> bool:
        """Take the place of one more key; the first that finds none stops parking.

        A place is taken before the key is parked: lanes that park at the same time would
        otherwise pass the bound together.
        """
        oldest = self._clock() - _WINDOW_S
        while self._parked_at and self._parked_at[0] <= oldest:
            self._parked_at.popleft()
        if len(self._parked_at) >= self.keys_max:
            self.flowing.clear()
        if self.exhausted:
            return False
        self._parked_at.append(self._clock())
        return True

    def give_back(self) -> None:
        """Free a place whose key was not parked after all."""
        if self._parked_at:
            self._parked_at.pop()

    def resume(self) -> None:
        """Let parking go on, with every place free."""
        self._parked_at.clear()
        self.flowing.set()


async def park(tx: Transaction, consumer: str, item: Item, refusal: Refusal) -> bool:
    """Park a message and its key; False when the key was parked before."""
    topic = item.record.topic
    # A record that arrives again after its key was released must not park the key again.
    if not await _insert(tx, consumer, topic, [(item, refusal)]):
        return False
    return await parked.park_key(tx, consumer, topic, item.key, refusal.code)


async def queue(tx: Transaction, consumer: str, topic: str, items: Sequence[Item]) -> None:
    """Put messages behind what is parked of their keys."""
    if items:
        await _insert(tx, consumer, topic, [(item, item.refusal or _QUEUED) for item in items])


async def _insert(
    tx: Transaction, consumer: str, topic: str, refused: Sequence[tuple[Item, Refusal]]
) -> bool:
    """Insert messages with the history of their failures; False when all were there before."""
    inserted = await parked.insert(tx, consumer, topic, [_row(*each) for each in refused])
    ids = {(each.partition, each.log_offset): each.id for each in inserted}
    places = [((item.record.partition, item.record.offset), why) for item, why in refused]
    failures = [
        (ids[place], failure) for place, why in places if place in ids for failure in why.failures
    ]
    await parked_attempts.add(tx, [failed(*each) for each in failures])
    return bool(inserted)


def _row(item: Item, refusal: Refusal) -> parked.NewMessage:
    record = item.record
    return parked.NewMessage(
        key=item.key,
        partition=record.partition,
        log_offset=record.offset,
        event_id=item.event_id,
        type=item.type,
        headers=_headers_text(record.headers),
        body=record.value,
        error_code=refusal.code,
        error=refusal.error,
        attempts=refusal.attempts,
        fingerprint=refusal.fingerprint,
    )


def _headers_text(headers: Sequence[tuple[str, bytes]]) -> str:
    return msgspec.json.encode([_header(name, value) for name, value in headers]).decode()


def _header(name: str, value: bytes | None) -> ParkedHeader:
    # PostgreSQL's jsonb refuses the character NUL, so a name that has one is changed.
    name = name.replace("\0", "\\x00")
    if value is None:
        return ParkedHeader(name=name)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return ParkedHeader(name=name, base64=b64encode(value).decode())
    return ParkedHeader(name=name, text=text)


def header_text(headers: str, name: str) -> str | None:
    """Return the text of the header `name` of a parked message."""
    found = msgspec.json.decode(headers, type=list[ParkedHeader])
    return next((header.text for header in found if header.name == name), None)
