"""Several issuers at one door: each speaks for its own kinds, by its own keys and algorithms."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from time import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from libs.foundation.web.bearer.authenticator import Authenticator, open_authenticator
from libs.foundation.web.bearer.key_sets import Algorithm
from libs.foundation.web.bearer.settings import AuthenticationSettings, Issuer
from libs.foundation.web.refusals import InvalidToken

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
OPEN_TO = {"guest": frozenset({"things:read"}), "staff": frozenset({"things:write"})}
Key = Ed25519PrivateKey | ec.EllipticCurvePrivateKey


class Provider:
    """An identity provider with one key, called `one` as everybody's is."""

    def __init__(self, name: str, kind: str, algorithm: Algorithm, key: Key, file: Path) -> None:
        self.key = key
        self.pinned = Issuer(
            issuer=f"https://{name}.example",
            audience="api",
            kinds=(kind,),
            algorithms=(algorithm,),
            jwks_file=str(file),
        )
        file.write_text(json.dumps({"keys": [{**public(key), "kid": "one"}]}))

    def token(self, key: Key | None = None, **changed: object) -> str:
        now_s = int(time())
        claims = {
            "iss": self.pinned.issuer,
            "aud": "api",
            "sub": "somebody",
            "iat": now_s,
            "exp": now_s + 60,
            "principal_kind": self.pinned.kinds[0],
            "scope": "things:read things:write",
            **changed,
        }
        headers = {"typ": "at+jwt", "kid": "one"}
        return jwt.encode(claims, key or self.key, algorithm_of(key or self.key), headers)


def algorithm_of(key: Key) -> str:
    return "EdDSA" if isinstance(key, Ed25519PrivateKey) else "ES256"


def public(key: Key) -> dict[str, Any]:
    if isinstance(key, Ed25519PrivateKey):
        x = key.public_key().public_bytes_raw()
        return {"kty": "OKP", "crv": "Ed25519", "x": text(x)}
    numbers = key.public_key().public_numbers()
    x, y = text(numbers.x.to_bytes(32)), text(numbers.y.to_bytes(32))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def text(plain: bytes) -> str:
    return urlsafe_b64encode(plain).rstrip(b"=").decode()


@pytest.fixture
def guests(tmp_path: Path) -> Provider:
    key = ec.generate_private_key(ec.SECP256R1())
    return Provider("guests", "guest", "ES256", key, tmp_path / "guests.json")


@pytest.fixture
def people(tmp_path: Path) -> Provider:
    key = Ed25519PrivateKey.generate()
    return Provider("people", "staff", "EdDSA", key, tmp_path / "people.json")


@pytest.fixture
async def door(guests: Provider, people: Provider) -> AsyncIterator[Authenticator]:
    settings = AuthenticationSettings.of(guests.pinned, people.pinned)
    async with open_authenticator(settings, OPEN_TO) as door:
        yield door


async def enter(door: Authenticator, token: str) -> str:
    return (await door.authenticate([f"Bearer {token}"])).id


async def test_each_algorithm_opens_the_door(
    door: Authenticator, guests: Provider, people: Provider
) -> None:
    assert await enter(door, guests.token()) == "guest:somebody"
    assert await enter(door, people.token()) == "staff:somebody"


async def test_the_key_of_another_issuer_does_not_sign_for_this_one(
    door: Authenticator, guests: Provider, people: Provider
) -> None:
    for forged in (people.token(guests.key), guests.token(people.key)):
        with pytest.raises(InvalidToken):
            await enter(door, forged)


async def test_an_issuer_cannot_make_principals_of_anothers_kind(
    door: Authenticator, guests: Provider
) -> None:
    with pytest.raises(InvalidToken, match="kind of principal"):
        await enter(door, guests.token(principal_kind="staff"))


async def test_the_twin_of_an_ecdsa_signature_says_nothing_new(
    door: Authenticator, guests: Provider
) -> None:
    signing_input, _, signature = guests.token().rpartition(".")
    plain = urlsafe_b64decode(signature + "==")
    s = P256_ORDER - int.from_bytes(plain[32:])
    twin = f"{signing_input}.{text(plain[:32] + s.to_bytes(32))}"

    assert await enter(door, twin) == "guest:somebody"


@pytest.mark.parametrize("r_and_s", [(0, 0), (1, 0), (0, 1), (P256_ORDER, 1), (1, P256_ORDER)])
async def test_an_ecdsa_signature_out_of_its_range_is_refused(
    door: Authenticator, guests: Provider, r_and_s: tuple[int, int]
) -> None:
    signing_input = guests.token().rpartition(".")[0]
    r, s = r_and_s

    with pytest.raises(InvalidToken):
        await enter(door, f"{signing_input}.{text(r.to_bytes(32) + s.to_bytes(32))}")
