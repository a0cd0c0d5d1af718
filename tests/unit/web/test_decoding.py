"""Strict bodies and queries, and a pointer to each bad field."""

from time import perf_counter

import msgspec
import pytest
from msgspec import Struct

from libs.foundation.web.decoding import decode, decode_query
from libs.foundation.web.refusals import FieldError, MalformedRequest
from libs.foundation.web.text import Text200, normalise


class Item(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Text200
    count: int = 1

    def __post_init__(self) -> None:
        normalise(self, "name")


class Body(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    items: tuple[Item, ...]
    labels: dict[str, int] = {}


class Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Text200 | None = None
    count: int | None = None


DECODER = msgspec.json.Decoder(Body)


def refusal(body: bytes) -> MalformedRequest:
    with pytest.raises(MalformedRequest) as refused:
        decode(DECODER, body)
    return refused.value


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"items":[{"name":"a"},{"name":1}]}', "#/items/1/name"),
        (b'{"items":[{"name":"a","count":1.5}]}', "#/items/0/count"),
        (b'{"items":[{"name":"a","colour":1}]}', "#/items/0/colour"),
        (b'{"items":[],"labels":{"a":"b"}}', "#/labels/a"),
        (b'{"items":[],"a/b~c":1}', "#/a~1b~0c"),
        (b'{"items":[{"name":"a","count":1,"count":2}]}', "#/items/0/count"),
        (b'{"items":[],"labels":{"a":1,"\\u0061":2}}', "#/labels/a"),
        (b'{"items":[{"name":"a\\u0000b"}]}', "#/items/0/name"),
        (b'{"items":[{"name":"a\\nb"}]}', "#/items/0/name"),
        (b'{"items":[{"name":"a\\u0085b"}]}', "#/items/0/name"),
        (b'{"items":[{"name":"  "}]}', "#/items/0/name"),
        (b'{"items":[{"name":"' + b"a" * 201 + b'"}]}', "#/items/0/name"),
        (b"{}", "#/items"),
        (b"[]", "#"),
    ],
)
def test_a_bad_field_is_pointed_at(body: bytes, pointer: str) -> None:
    assert [error.pointer for error in refusal(body).errors] == [pointer]


def test_every_bad_field_is_pointed_at() -> None:
    body = b'{"items":[{"name":1},{"name":"a","size":2},[]],"labels":{"a":"b"},"colour":1}'

    errors = refusal(body).errors

    assert [error.pointer for error in errors] == [
        "#/items/0/name",
        "#/items/1/size",
        "#/items/2",
        "#/labels/a",
        "#/colour",
    ]


def test_no_body_buys_more_than_twenty_faults() -> None:
    assert len(refusal(b'{"items":[' + b"1," * 30_000 + b"1]}").errors) == 20


def test_a_hostile_name_is_not_repeated_at_length() -> None:
    (error,) = refusal(b'{"items":[],"' + b"a" * 60_000 + b'":1}').errors

    assert len(str(error.pointer)) == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"items":[]}x', b"\xff", b'"\xed\xa0\x80"', b'{"items":' + b"[" * 60_000],
)
def test_a_body_that_is_not_json_is_refused_whole(body: bytes) -> None:
    assert refusal(body).code == "malformed-request"


def test_a_pattern_is_not_shown_to_the_caller() -> None:
    (error,) = refusal(b'{"items":[{"name":"\\t"}]}').errors

    assert error == FieldError(pointer="#/items/0/name", detail="Not of the documented form")


def test_text_is_trimmed_and_composed() -> None:
    body = decode(DECODER, '{"items":[{"name":" cafe\u0301 "}]}'.encode())

    assert body.items[0].name == "caf\u00e9"


def test_hostile_text_costs_no_more_than_its_length() -> None:
    started = perf_counter()

    for filler in (" ", "a", "a "):
        refusal(b'{"items":[{"name":"' + filler.encode() * 30_000 + b'\\u0001"}]}')

    assert perf_counter() - started < 1.0


def test_a_query_is_converted_and_checked() -> None:
    assert decode_query(Query, {"name": "null", "count": "3"}) == Query(name="null", count=3)
    with pytest.raises(MalformedRequest) as refused:
        decode_query(Query, {"name": "", "count": "null", "size": "3"})
    assert [error.parameter for error in refused.value.errors] == ["name", "count", "size"]
