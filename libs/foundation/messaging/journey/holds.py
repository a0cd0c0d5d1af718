"""Says what holds the messages of a key up, from what is known; a pure function."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from shlex import join
from typing import Final

from msgspec import Struct

from libs.foundation.messaging.journey.facts import GroupPlace, Journey
from libs.foundation.messaging.relay.requests import OWNER
from libs.foundation.messaging.replay.selection import Reader
from libs.foundation.messaging.sql.journeys import ParkedMessage, SentRow

# Below this, what is not done yet is simply under way.
PATIENCE: Final = timedelta(seconds=10)


class Hold(Struct, frozen=True, kw_only=True):
    """One thing that keeps a key from going on; `actions` are command lines.

    `needs_person`: it does not end by itself. `is_slow`: it takes longer than it should.
    """

    code: str
    reason: str
    actions: tuple[str, ...] = ()
    needs_person: bool = False
    is_slow: bool = False


def command(*words: str, reason: bool = False) -> str:
    """Return a command line as one types it, with a place for the reason where one is needed."""
    return join(["orderly", *words]) + (' --reason "why"' if reason else "")


def holds_of(journey: Journey, readers: Sequence[Reader], now: datetime) -> list[Hold]:
    """Return what holds the key up, in the order in which a person should look at it."""
    return [
        *_held_at_relay(journey),
        *_parked(journey, now),
        *_unpublished(journey, now),
        *_unconsumed(journey, readers, now),
    ]


def _held_at_relay(journey: Journey) -> Iterator[Hold]:
    for topic in dict.fromkeys(row.topic for row in journey.held):
        queue = [row for row in journey.held if row.topic == topic]
        first = next((row for row in queue if row.error is not None), queue[0])
        yield Hold(
            code="held_at_relay",
            reason=f"the relay holds back {len(queue)} messages for {topic}, because Kafka refused"
            f" {first.type} (row {first.seq}): {first.error or 'see orderly parked list'}",
            actions=_parked_actions(OWNER, topic, journey.key),
            needs_person=True,
        )


def _parked(journey: Journey, now: datetime) -> Iterator[Hold]:
    queues: dict[tuple[str, str], list[ParkedMessage]] = {}
    for message in journey.parked:
        queues.setdefault((message.consumer, message.topic), []).append(message)
    for (consumer, topic), queue in queues.items():
        first = queue[0]
        behind = f"; {len(queue) - 1} messages queue behind it" if len(queue) > 1 else ""
        yield Hold(
            code="parked",
            reason=f"{consumer} has parked {first.type or 'a message'}, {topic}/{first.partition}"
            f" offset {first.log_offset}, {_age(first.parked_at, now)} ago, after {first.attempts}"
            f" attempts: {first.error_code}: {first.error}{behind}",
            actions=_parked_actions(consumer, topic, journey.key),
            needs_person=True,
        )


def _parked_actions(owner: str, topic: str, key: str) -> tuple[str, ...]:
    return (
        command("parked", "retry", owner, topic, key, reason=True),
        command("parked", "skip", owner, topic, key, reason=True),
    )


def _unpublished(journey: Journey, now: datetime) -> Iterator[Hold]:
    held = {row.seq for row in journey.held}
    waiting = [row for row in journey.rows if not row.is_published and row.seq not in held]
    if not waiting:
        return
    first, relay = waiting[0], journey.relay
    what = f"{first.type} (row {first.seq}, {_age(first.written_at, now)} old) is not published"
    if relay.problem is not None:
        remedy = relay.remedy or "see orderly relay status"
        yield Hold(
            code="relay_blocked",
            reason=f"{what}: {relay.problem}. Remedy: {remedy}",
            actions=(command("relay", "status"),),
            needs_person=True,
        )
        return
    slow = now - first.written_at > PATIENCE
    if not relay.is_held:
        why = "no relay holds the lease; start one, publishing goes on by itself then"
        code = "no_relay"
    else:
        why = f"the relay {relay.holder} is active" + (
            ", so Kafka does not acknowledge, or the backlog is long" if slow else ""
        )
        code = "not_published"
    actions = (command("relay", "status"), command("outbox", "status")) if slow else ()
    yield Hold(code=code, reason=f"{what}: {why}", actions=actions, is_slow=slow)


def _unconsumed(journey: Journey, readers: Sequence[Reader], now: datetime) -> Iterator[Hold]:
    held = {row.seq for row in journey.held}
    # A copy has the id of its row: once is enough.
    rows = {row.id: row for row in journey.rows if row.is_published and row.seq not in held}
    for row in rows.values():
        taken = journey.taken_by(row.id)
        for reader in readers:
            if row.topic in reader.topics and _handles(reader, row) and reader.name not in taken:
                yield _not_consumed(journey, reader.name, row, now)


def _handles(reader: Reader, row: SentRow) -> bool:
    return reader.types is None or row.type in reader.types


def _not_consumed(journey: Journey, consumer: str, row: SentRow, now: datetime) -> Hold:
    slow = now - row.written_at > PATIENCE
    offset = journey.brokers.offsets.get(row.id)
    where = f"{row.topic}/{row.partition}" + ("" if offset is None else f" offset {offset}")
    what = (
        f"{row.type} ({where}, {_age(row.written_at, now)} old) is published, and {consumer} has"
        " not taken it"
    )
    place = journey.brokers.place(consumer, row.topic, row.partition)
    code, why = _behind(place, offset, journey.brokers.problem)
    actions = (command("consumers", "status"),) if slow else ()
    if code == "passed_over":
        actions = (command("replay", "--topic", row.topic, "--key", journey.key, reason=True),)
    return Hold(
        code=code,
        reason=f"{what}: {why}",
        actions=actions,
        is_slow=slow,
        needs_person=code == "passed_over" and slow,
    )


def _behind(place: GroupPlace | None, offset: int | None, problem: str | None) -> tuple[str, str]:
    if place is None:
        return "not_consumed", problem or "the brokers know no place of it"
    if offset is not None and offset < place.next:
        return "passed_over", f"its group is past it, at {place.next}, without a mark in the inbox"
    if place.members == 0:
        return "consumer_down", "its group has no member: no worker of it runs"
    distance = place.next if offset is None else offset - place.next
    if offset is None:
        return "consumer_behind", f"it is at {place.next} of {place.end}"
    return "consumer_behind", f"{distance} messages come before it in the partition"


def _age(since: datetime, now: datetime) -> str:
    return f"{max(0, int((now - since).total_seconds()))} s"
