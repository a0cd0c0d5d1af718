"""Reads the CloudEvents headers of a Kafka record (binary mode, attributes prefixed `ce_`)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

Headers = Iterable[tuple[str, bytes]]

_TEXT_CHARACTERS_MAX: Final = 255
_UUID_CHARACTERS: Final = 36


class BadEnvelopeError(ValueError):
    """The headers do not say which message this is; no retry can change that."""


class Envelope(Struct, frozen=True, kw_only=True):
    """Who sent what about whom; only id and type decide anything, so only they are required."""

    id: UUID
    type: str
    source: str | None = None
    subject: str | None = None
    time: datetime | None = None
    sequence: int | None = None
    traceparent: str | None = None


def read_envelope(headers: Headers) -> Envelope:
    """Return the envelope; raises BadEnvelopeError when id or type is missing, double or wrong."""
    found: dict[str, str | None] = {}
    doubled: set[str] = set()
    for name, value in headers:
        if name in found:
            doubled.add(name)
        found[name] = _text(value)
    for name in ("ce_id", "ce_type"):
        if name in doubled:
            raise BadEnvelopeError(f"header {name} is there more than once")
    return Envelope(
        id=_identifier(found.get("ce_id")),
        type=_type(found.get("ce_type")),
        source=found.get("ce_source"),
        subject=found.get("ce_subject"),
        time=_time(found.get("ce_time")),
        sequence=_sequence(found.get("ce_sequence")),
        traceparent=found.get("traceparent"),
    )


def _text(value: bytes | None) -> str | None:
    """Return short printable text; None for anything else, as if the header were missing."""
    if not value or len(value) > _TEXT_CHARACTERS_MAX:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def _identifier(text: str | None) -> UUID:
    # UUID() also takes braces and missing hyphens; two spellings of one id must not both pass.
    if text is None or len(text) != _UUID_CHARACTERS:
        raise BadEnvelopeError("header ce_id is missing or no UUID")
    try:
        return UUID(text)
    except ValueError:
        raise BadEnvelopeError("header ce_id is no UUID") from None


def _type(text: str | None) -> str:
    if text is None:
        raise BadEnvelopeError("header ce_type is missing or no short printable text")
    return text


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None


def _sequence(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
