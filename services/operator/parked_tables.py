"""How `orderly parked` and `orderly audit` show what they have found to people."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from libs.foundation.clock import utc_now
from libs.foundation.messaging.quarantine.asking import Outcome, Plan
from libs.foundation.messaging.quarantine.reading import (
    FailureGroups,
    ParkedKeys,
    ShownKey,
    ShownMessage,
)
from libs.foundation.messaging.sql.operator_audit import Audited
from libs.foundation.messaging.sql.parked_attempts import Attempt
from libs.foundation.messaging.sql.parked_listing import HeldKey
from libs.foundation.messaging.sql.parking_stops import Stop
from services.operator import output

_NOTHING: Final = "nothing is parked"
_KEY_COLUMNS: Final = ("owner", "topic", "key", "messages", "age", "type", "fingerprint", "reason")


def keys(console: Console, found: ParkedKeys) -> None:
    """Print one line for each key."""
    _stops(console, found.stops)
    if not found.keys:
        console.print(_NOTHING)
    output.table(console, _KEY_COLUMNS, [_key_row(held) for held in found.keys])
    _more(console, len(found.keys), found.matching, "keys; --limit shows them")


def causes(console: Console, found: FailureGroups) -> None:
    """Print one line for each fingerprint."""
    _stops(console, found.stops)
    if not found.groups:
        console.print(_NOTHING)
    output.table(
        console,
        ("fingerprint", "keys", "messages", "first seen", "last seen", "owners", "types", "error"),
        [
            (
                group.fingerprint,
                str(group.keys),
                str(group.messages),
                group.first_seen.isoformat(timespec="seconds"),
                group.last_seen.isoformat(timespec="seconds"),
                ", ".join(group.owners),
                ", ".join(group.types) or "-",
                group.example,
            )
            for group in found.groups
        ],
    )


def key(console: Console, found: ShownKey) -> None:
    """Print the queue of a key, each message with its headers and its history."""
    held = found.held
    console.print(f"{held.owner} {held.topic} {_plain(held.key)}: {held.messages} parked")
    if held.asked_request is not None:
        console.print(f"request {held.asked_request} to {held.asked_verb} it is not finished")
    for place, message in enumerate(found.queue, start=1):
        _message(console, place, message)
    _more(console, len(found.queue), held.messages, "messages; --limit shows them")


def plan(console: Console, found: Plan) -> None:
    """Print what would be done with each key."""
    console.print(f"dry run: {found.verb} {found.matching} keys")
    output.table(
        console,
        ("owner", "topic", "key", "type", "fingerprint", "would"),
        [
            (
                each.key.owner,
                each.key.topic,
                _plain(each.key.key),
                each.key.type or "-",
                each.key.fingerprint,
                each.effect,
            )
            for each in found.keys
        ],
    )
    _more(console, len(found.keys), found.matching, "keys")


def outcome(console: Console, found: Outcome) -> None:
    """Print what came of a request and, where it had many keys, of each."""
    request = found.request
    console.print(f"request {request.id}: {request.verb}: {request.outcome or 'not finished'}")
    if request.keys > 1:
        console.print(
            f"{request.keys} keys: {request.done} done, {request.stopped} stopped,"
            f" {request.refused} refused,"
            f" {request.keys - request.done - request.stopped - request.refused} to do"
        )
        output.table(
            console,
            ("owner", "topic", "key", "result", "handled", "left out", "outcome"),
            [
                (
                    item.owner,
                    item.topic,
                    _plain(item.key),
                    item.result or "to do",
                    str(item.handled),
                    str(item.skipped),
                    item.outcome or "-",
                )
                for item in found.items
            ],
        )
        _more(console, len(found.items), request.keys, "keys")


def requests(console: Console, found: Sequence[Audited]) -> None:
    """Print one line for each request."""
    if not found:
        console.print("nobody has asked for anything")
    output.table(
        console,
        ("request", "asked at", "by", "verb", "owner", "about", "reason", "outcome"),
        [
            (
                str(each.id),
                each.requested_at.isoformat(timespec="seconds"),
                each.requested_by,
                each.verb,
                each.owner,
                _about(each),
                each.reason,
                each.outcome or "not finished",
            )
            for each in found
        ],
    )


def _key_row(held: HeldKey) -> tuple[str, ...]:
    return (
        held.owner,
        held.topic,
        _plain(held.key),
        str(held.messages),
        output.seconds((utc_now() - held.parked_at).total_seconds()),
        held.type or "-",
        held.fingerprint,
        f"{held.code}: {held.error}" if held.error else held.code,
    )


def _stops(console: Console, stops: Sequence[Stop]) -> None:
    for stop in stops:
        console.print(
            f"{stop.owner} has stopped parking in process {stop.process}, since"
            f" {stop.stopped_at.isoformat(timespec='seconds')}: more than {stop.keys_max} keys"
            f" within a minute. Remedy: find what changed, then orderly parked resume {stop.owner}"
        )


def _message(console: Console, place: int, message: ShownMessage) -> None:
    at = f"partition {message.partition}"
    if message.log_offset is not None:
        at += f" offset {message.log_offset}"
    console.print(
        f"{place}. message {message.position}: {message.type or 'unreadable'}, {at}, parked"
        f" {message.parked_at.isoformat(timespec='seconds')}, {message.code}: {message.error}"
    )
    for name, text in message.headers.items():
        console.print(f"     {_plain(name)}: {_plain(text)}")
    for attempt in message.history:
        console.print(f"   - {_attempt(attempt)}")


def _attempt(attempt: Attempt) -> str:
    about = f"{attempt.at.isoformat(timespec='milliseconds')} {attempt.outcome}"
    if attempt.fingerprint is not None:
        about += f" ({attempt.error_class}, {attempt.error_code}) {attempt.fingerprint}:"
        about += f" {attempt.error}"
    return f"{about}, by {attempt.process} of {attempt.release}"


def _about(request: Audited) -> str:
    if request.topic is not None:
        return f"{request.topic} {_plain(request.key or '')}"
    selection = request.key_selection if request.row_selection is None else request.row_selection
    if selection is None:
        return "-"
    given = [f"{name}={value}" for name, value in selection.items() if value]
    chosen = _plain(", ".join(given)) or "all"
    return f"{request.keys} keys: {chosen}" if request.keys else chosen


def _more(console: Console, shown: int, found: int, what: str) -> None:
    if shown < found:
        console.print(f"{found - shown} more {what}")


def _plain(text: str) -> str:
    """Return text that a terminal obeys in nothing: keys and headers may come from strangers."""
    return "".join(each if each.isprintable() else f"\\x{ord(each):02x}" for each in text)
