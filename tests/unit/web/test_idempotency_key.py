"""The Idempotency-Key header and the fingerprint of a request."""

import pytest
from msgspec import Struct

from libs.foundation.web.idempotency import fingerprint, parse_key
from libs.foundation.web.refusals import IdempotencyKeyMalformed, IdempotencyKeyMissing


class Body(Struct, kw_only=True):
    amount: int
    labels: dict[str, str]


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ('"8e03"', "8e03"),
        ("8e03", "8e03"),
        (' "a b" ', "a b"),
        (r'"a\"b\\c"', 'a"b\\c'),
        ("row-17:2", "row-17:2"),
        ('"' + "k" * 255 + '"', "k" * 255),
    ],
)
def test_a_key_is_a_quoted_string_or_a_bare_word(header: str, key: str) -> None:
    assert parse_key([header]) == key


@pytest.mark.parametrize(
    "headers",
    [
        [""],
        ['""'],
        ["a b"],
        ['"a'],
        ['a"b"'],
        [r'"a\b"'],
        ['"a";q=1'],
        ['"schlüssel"'],
        ['"a\tb"'],
        ["k" * 256],
        ["one", "two"],
        ['"a", "b"'],
    ],
)
def test_anything_else_is_malformed(headers: list[str]) -> None:
    with pytest.raises(IdempotencyKeyMalformed):
        parse_key(headers)


def test_a_request_without_a_key_is_told_so() -> None:
    with pytest.raises(IdempotencyKeyMissing):
        parse_key([])


def test_equal_content_has_one_fingerprint_in_whatever_order_its_maps_came() -> None:
    one = fingerprint("POST", "/v1/things", Body(amount=1, labels={"a": "1", "b": "2"}))
    same = fingerprint("POST", "/v1/things", Body(amount=1, labels={"b": "2", "a": "1"}))

    assert one == same


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/v1/things", Body(amount=1, labels={})),
        ("POST", "/v1/things/2", Body(amount=1, labels={})),
        ("POST", "/v1/things", Body(amount=2, labels={})),
        ("POST", "/v1/things", Body(amount=1, labels={"a": "1"})),
    ],
)
def test_another_request_has_another_fingerprint(method: str, path: str, body: Body) -> None:
    reference = fingerprint("POST", "/v1/things", Body(amount=1, labels={}))

    assert fingerprint(method, path, body) != reference
