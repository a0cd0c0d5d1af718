"""What people are shown of a parked message, and what a request says it would do."""

from datetime import UTC, datetime

import msgspec
import pytest

from libs.foundation.messaging.parking import ParkedHeader
from libs.foundation.messaging.quarantine import asking
from libs.foundation.messaging.quarantine.reading import shown_headers
from libs.foundation.messaging.sql.parked_listing import HeldKey, Narrowing


def held(**changes: object) -> HeldKey:
    values: dict[str, object] = {
        "owner": "toys-worker",
        "topic": "toys.events",
        "key": "k",
        "parked_at": datetime(2026, 11, 23, tzinfo=UTC),
        "messages": 3,
        "head": 12,
        "type": "toys.noted.v1",
        "code": "toy-refused",
        "fingerprint": "Refused@toys.py:note",
        "error": "not yet",
        "attempts": 1,
        "asked_verb": None,
        "asked_request": None,
    }
    return msgspec.convert({**values, **changes}, HeldKey)


def test_headers_of_strangers_are_named_and_not_shown() -> None:
    headers = [
        ParkedHeader(name="ce_type", text="toys.noted.v1"),
        ParkedHeader(name="traceparent", text="00-1-1-01"),
        ParkedHeader(name="x-user", text="ada@example.org"),
        ParkedHeader(name="raw", base64="AP8="),
    ]

    shown = shown_headers(msgspec.json.encode(headers).decode())

    assert shown == {
        "ce_type": "toys.noted.v1",
        "traceparent": "00-1-1-01",
        "x-user": "(not shown)",
        "raw": "(not shown)",
    }


@pytest.mark.parametrize(
    ("verb", "changes", "effect"),
    [
        ("retry", {}, "run 3 in order from 12"),
        ("skip", {}, "leave 12 out for ever, which leaves a gap; then run 2 in order"),
        ("skip", {"messages": 1}, "leave 12 out for ever, which leaves a gap; then flow again"),
        ("retry", {"head": None}, "nothing waits: the key would flow again"),
    ],
)
def test_a_plan_says_what_would_be_done(
    verb: asking.Verb, changes: dict[str, object], effect: str
) -> None:
    assert asking.effect_on(verb, held(**changes)) == effect


def test_a_retry_of_what_the_inbox_forgot_comes_with_a_warning() -> None:
    effect = asking.effect_on("retry", held(code="outside_window"))

    assert "make sure that it took no effect before" in effect


@pytest.mark.parametrize(
    "narrowing", [Narrowing(owner="o", topic="t"), Narrowing(fingerprint="f"), Narrowing()]
)
def test_whatever_may_match_several_keys_is_many(narrowing: Narrowing) -> None:
    assert not asking.is_one_key(narrowing)


def test_one_key_is_named_by_owner_topic_and_key() -> None:
    assert asking.is_one_key(Narrowing(owner="o", topic="t", key="k"))
