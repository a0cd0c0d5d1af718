"""What becomes of each record before the database is asked."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID, uuid4

import msgspec
import pytest
from msgspec import Struct

from libs.foundation.database.transaction import Transaction
from libs.foundation.ids import first_id_at
from libs.foundation.messaging.consumer.records import Sorted, key_text, sort_batch
from libs.foundation.messaging.definitions import ConsumerDefinition, Route
from tests.unit.messaging.records import ToyRecord


class Known(Struct):
    type: ClassVar[str] = "toys.known.v1"
    n: int


class Unrouted(Struct):
    type: ClassVar[str] = "toys.unrouted.v1"


class Topic(Struct, frozen=True):
    name: str = "toys"
    partitions: int = 1
    accepts_unknown_types: bool = True


async def ignore(_tx: Transaction, _messages: object) -> None:
    raise NotImplementedError


DEFINITION: Final = ConsumerDefinition(
    "toys",
    [Topic()],
    {each.type: msgspec.json.Decoder(each) for each in (Known, Unrouted)},
    [Route(Known, ignore)],
)
# Fixed: a whole suite may run between the import of this module and its tests.
NOW: Final = datetime(2026, 11, 23, tzinfo=UTC)


def id_at(moment: datetime) -> UUID:
    version_and_variant = (7 << 76) | (2 << 62)
    return UUID(int=first_id_at(moment).int | version_and_variant)


def sort(
    *,
    event_id: UUID | None = None,
    type_: str = Known.type,
    value: bytes | None = b'{"n": 1}',
    topic: Topic | None = None,
) -> Sorted:
    headers = [("ce_id", str(event_id or id_at(NOW)).encode()), ("ce_type", type_.encode())]
    record = ToyRecord(headers=headers, value=value)
    return sort_batch(DEFINITION, topic or Topic(), [record], NOW)


def code(found: Sorted) -> str | None:
    [item] = found.items
    return None if item.refusal is None else item.refusal.code


def test_a_known_message_is_decoded_and_claimable() -> None:
    [item] = sort().items

    assert item.message == Known(1)
    assert item.claimable
    assert item.subject == "k"


@pytest.mark.parametrize(
    "value", [None, b"", b"\xff", b"[1]", b'{"n": "1"}', b'{"n": 1', b"[" * 100_000]
)
def test_a_body_that_does_not_decode_is_refused_but_known(value: bytes | None) -> None:
    found = sort(value=value)

    assert code(found) == "undecodable"
    assert found.items[0].claimable


def test_deep_nesting_in_an_unknown_field_is_no_crash() -> None:
    deep = b'{"n": 1, "new": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    assert sort(value=deep).items


@pytest.mark.parametrize("event_id", [uuid4(), UUID("ffffffff-ffff-7fff-bfff-ffffffffffff")])
def test_an_id_that_is_not_of_this_time_is_refused_and_never_claimed(event_id: UUID) -> None:
    found = sort(event_id=event_id)

    assert code(found) == "bad-id"
    assert not found.items[0].claimable


@pytest.mark.parametrize(("minutes", "refused"), [(4, None), (6, "bad-id")])
def test_clocks_may_differ_by_five_minutes(minutes: int, refused: str | None) -> None:
    event_id = id_at(NOW + timedelta(minutes=minutes))

    assert code(sort(event_id=event_id)) == refused


def test_types_without_a_route_are_skipped_and_unknown_commands_are_not() -> None:
    commands = Topic(accepts_unknown_types=False)

    assert sort(type_=Unrouted.type).skipped == [Unrouted.type]
    assert sort(type_=Unrouted.type, topic=commands).skipped == [Unrouted.type]
    assert sort(type_="toys.known.v2").skipped == ["toys.known.v2"]
    assert code(sort(type_="toys.known.v2", topic=commands)) == "unknown-type"


@pytest.mark.parametrize(
    ("key", "text"),
    [(None, ""), (b"k", "k"), (b"\xff", "\\xff"), (b"a\0b", "a\\x00b"), (b"x" * 999, "x" * 255)],
)
def test_keys_become_text_that_a_database_stores(key: bytes | None, text: str) -> None:
    assert key_text(key) == text
