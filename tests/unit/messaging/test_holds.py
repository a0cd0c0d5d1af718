"""What holds the messages of a key up, case by case."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from libs.foundation.ids import new_id
from libs.foundation.messaging.journey.facts import Brokers, GroupPlace, Journey, spans_around
from libs.foundation.messaging.journey.holds import Hold, command, holds_of
from libs.foundation.messaging.replay.selection import Reader
from libs.foundation.messaging.sql.journeys import HeldRow, Mark, ParkedMessage, SentRow
from libs.foundation.messaging.status.relay import RelayStatus

NOW: Final = datetime(2026, 11, 27, 3, 0, tzinfo=UTC)
READERS: Final = (
    Reader(name="toys-worker", topics=("toys.events",), types=("toys.noted.v1",)),
    Reader(name="books-worker", topics=("books.events",), types=None),
)
RELAY: Final = RelayStatus(
    holder="relay-1",
    epoch=1,
    is_held=True,
    good_for_s=1.5,
    renewed_s=0.5,
    standbys=1,
    cursor=None,
    problem=None,
    remedy=None,
)


def row(*, age_s: int = 60, published: bool = True, type_: str = "toys.noted.v1") -> SentRow:
    return SentRow(
        seq=7,
        id=new_id(),
        written_at=NOW - timedelta(seconds=age_s),
        type=type_,
        topic="toys.events",
        partition=3,
        sequence=None,
        traceparent=None,
        is_copy=False,
        is_published=published,
    )


def journey(*rows: SentRow, relay: RelayStatus = RELAY, brokers: Brokers | None = None) -> Journey:
    return Journey(
        key="k1",
        spans=(),
        rows=rows,
        held=(),
        marks=(),
        parked=(),
        relay=relay,
        brokers=brokers or Brokers(problem="the brokers were not asked"),
    )


def place(*, next_: int, members: int = 1) -> GroupPlace:
    return GroupPlace(
        consumer="toys-worker",
        members=members,
        topic="toys.events",
        partition=3,
        next=next_,
        end=100,
    )


def parked(number: int) -> ParkedMessage:
    return ParkedMessage(
        id=number,
        consumer="toys-worker",
        topic="toys.events",
        partition=3,
        log_offset=40 + number,
        event_id=new_id(),
        type="toys.noted.v1",
        error_code="impossible-toy",
        error="no such toy",
        attempts=3,
        parked_at=NOW - timedelta(minutes=5),
    )


def held(number: int, error: str | None) -> HeldRow:
    return HeldRow(
        seq=number,
        id=new_id(),
        type="toys.noted.v1",
        topic="toys.events",
        partition=3,
        error=error,
        parked_at=NOW,
    )


def only(found: Sequence[Hold]) -> Hold:
    (one,) = found
    return one


def test_a_message_that_was_taken_holds_nothing_up() -> None:
    sent = row()
    mark = Mark(consumer="toys-worker", event_id=sent.id, claimed_at=NOW)

    assert holds_of(replace(journey(sent), marks=(mark,)), READERS, NOW) == []


def test_a_type_that_nobody_handles_is_waited_for_by_nobody() -> None:
    assert holds_of(journey(row(type_="toys.lost.v1")), READERS, NOW) == []


def test_a_row_that_waits_for_a_relay_that_is_dead() -> None:
    nobody = replace(RELAY, is_held=False)

    hold = only(holds_of(journey(row(published=False), relay=nobody), READERS, NOW))

    assert (hold.code, hold.is_slow, hold.needs_person) == ("no_relay", True, False)
    assert "orderly relay status" in hold.actions


def test_a_row_that_no_relay_may_publish_needs_a_person() -> None:
    foreign = replace(RELAY, problem="the cursor belongs to another database", remedy="reanchor")

    hold = only(holds_of(journey(row(published=False), relay=foreign), READERS, NOW))

    assert (hold.code, hold.needs_person) == ("relay_blocked", True)
    assert "Remedy: reanchor" in hold.reason


def test_a_row_that_kafka_does_not_acknowledge() -> None:
    young = only(holds_of(journey(row(published=False, age_s=1)), READERS, NOW))
    old = only(holds_of(journey(row(published=False)), READERS, NOW))

    assert (young.code, young.is_slow, old.code, old.is_slow) == (
        *("not_published", False),
        *("not_published", True),
    )
    assert "Kafka does not acknowledge" in old.reason


def test_a_row_that_kafka_refused_is_retried_or_skipped_at_the_relay() -> None:
    queue = (held(7, "MessageSizeTooLarge"), held(8, None))

    hold = only(holds_of(replace(journey(), held=queue), READERS, NOW))

    assert (hold.code, hold.needs_person) == ("held_at_relay", True)
    assert "2 messages" in hold.reason
    assert "MessageSizeTooLarge" in hold.reason
    assert hold.actions == (
        'orderly parked retry outbox-relay toys.events k1 --reason "why"',
        'orderly parked skip outbox-relay toys.events k1 --reason "why"',
    )


def test_a_parked_message_is_shown_with_what_it_failed_of_and_who_queues_behind() -> None:
    hold = only(holds_of(replace(journey(), parked=(parked(1), parked(2))), READERS, NOW))

    assert (hold.code, hold.needs_person) == ("parked", True)
    for part in ("toys.events/3 offset 41", "300 s ago", "impossible-toy: no such toy", "1 messag"):
        assert part in hold.reason
    assert hold.actions[0] == 'orderly parked retry toys-worker toys.events k1 --reason "why"'


def test_a_consumer_without_members_is_down() -> None:
    brokers = Brokers(places=(place(next_=10, members=0),))

    hold = only(holds_of(journey(row(), brokers=brokers), READERS, NOW))

    assert (hold.code, hold.is_slow) == ("consumer_down", True)
    assert hold.actions == ("orderly consumers status",)


def test_a_consumer_that_is_behind_has_so_many_messages_to_go() -> None:
    sent = row()
    brokers = Brokers(offsets={sent.id: 42}, places=(place(next_=30),))

    hold = only(holds_of(journey(sent, brokers=brokers), READERS, NOW))

    assert hold.code == "consumer_behind"
    assert "12 messages come before it" in hold.reason
    assert "offset 42" in hold.reason


def test_a_message_that_a_group_has_passed_without_taking_it_is_replayed() -> None:
    sent = row()
    brokers = Brokers(offsets={sent.id: 42}, places=(place(next_=43),))

    hold = only(holds_of(journey(sent, brokers=brokers), READERS, NOW))

    assert (hold.code, hold.needs_person) == ("passed_over", True)
    assert hold.actions == ('orderly replay --topic toys.events --key k1 --reason "why"',)


def test_without_the_brokers_the_reason_says_so() -> None:
    brokers = Brokers(problem="the brokers do not answer: TimeoutError")

    hold = only(holds_of(journey(row(), brokers=brokers), READERS, NOW))

    assert hold.code == "not_consumed"
    assert "the brokers do not answer" in hold.reason


def test_the_offset_of_a_group_alone_is_told_when_the_record_was_not_found() -> None:
    brokers = Brokers(places=(place(next_=30),))

    hold = only(holds_of(journey(row(), brokers=brokers), READERS, NOW))

    assert "it is at 30 of 100" in hold.reason


def test_a_key_with_blanks_is_quoted() -> None:
    assert command("parked", "skip", "a", "b", "c d") == "orderly parked skip a b 'c d'"


@given(st.lists(st.integers(min_value=0, max_value=10_000), max_size=30))
def test_spans_cover_every_moment_and_never_overlap(seconds: list[int]) -> None:
    moments = [NOW + timedelta(seconds=offset) for offset in seconds]

    spans = spans_around(moments)

    for moment in moments:
        assert sum(span.since <= moment < span.until for span in spans) == 1
    for before, after in pairwise(spans):
        assert before.until < after.since
