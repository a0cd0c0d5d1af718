"""Which keys of a JSON Web Key Set are used, and which sets are refused."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from libs.foundation.web.bearer.key_sets import KeySetRefused, parse_key_set, same

ALL = ("EdDSA", "ES256")


def text(plain: bytes) -> str:
    return urlsafe_b64encode(plain).rstrip(b"=").decode()


def ed25519(kid: str = "one", **members: object) -> dict[str, Any]:
    x = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return {"kty": "OKP", "crv": "Ed25519", "x": text(x), "kid": kid, **members}


def p256(kid: str = "two", **members: object) -> dict[str, Any]:
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    x, y = numbers.x.to_bytes(32), numbers.y.to_bytes(32)
    return {"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y), "kid": kid, **members}


def document(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


def test_each_key_is_bound_to_the_one_algorithm_that_fits_it() -> None:
    keys = parse_key_set(document(ed25519(), p256()), ALL)

    assert {kid: key.algorithm for kid, key in keys.items()} == {"one": "EdDSA", "two": "ES256"}


@pytest.mark.parametrize(
    "other",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa"},
        {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "kid": "larger"},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "coin"},
        p256("not-on-the-curve", y=text(b"\x01" * 32)),
        ed25519("too-short", x="AAAA"),
        ed25519("for-encryption", use="enc"),
        ed25519("signs-only", key_ops=["sign"]),
        ed25519("another-algorithm", alg="ES256"),
        ed25519("private-in-public", d="AAAA"),
        ed25519(""),
        ed25519("k" * 201),
        "not an object",
    ],
)
def test_a_key_of_another_purpose_is_left_out(other: object) -> None:
    keys = parse_key_set(document(other, ed25519("good")), ALL)

    assert list(keys) == ["good"]


def test_a_key_of_an_algorithm_that_is_not_accepted_is_left_out() -> None:
    assert list(parse_key_set(document(ed25519(), p256()), ["ES256"])) == ["two"]


@pytest.mark.parametrize(
    "refused",
    [
        b"",
        b"<html>",
        b'{"keys": {}}',
        b"[]",
        b"\xff",
        document(),
        document({"kty": "oct", "k": "c2VjcmV0", "kid": "secret"}),
        document(ed25519("one"), p256("one")),
        document(*[ed25519(str(number)) for number in range(65)]),
    ],
)
def test_a_set_that_cannot_be_used_is_refused(refused: bytes) -> None:
    with pytest.raises(KeySetRefused):
        parse_key_set(refused, ALL)


def test_sets_differ_when_a_key_is_another_one_under_the_same_id() -> None:
    first, other = ed25519("one"), ed25519("one")

    assert same(parse_key_set(document(first), ALL), parse_key_set(document(first), ALL))
    assert not same(parse_key_set(document(first), ALL), parse_key_set(document(other), ALL))
