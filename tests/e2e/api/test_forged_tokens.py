"""Tokens that must not pass: each is wrong in one thing, and the same token without it is right."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.local.signing import AUDIENCE, ISSUER
from libs.testkit.callers import Callers
from libs.testkit.databases import Database
from tests.e2e.api.conftest import Api, api_process

# The order of the group that Ed25519 signs in: S and S + L pass a careless check alike.
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


class Forger:
    """Makes tokens by the issuer's real key, each with something changed."""

    def __init__(self, callers: Callers) -> None:
        self.kid = callers.keys.current
        stored = json.loads(callers.keys_file.read_text())[-1]["private"]
        self.key = Ed25519PrivateKey.from_private_bytes(decoded(stored))

    def header(self, **changed: object) -> dict[str, Any]:
        return given({"alg": "EdDSA", "typ": "at+jwt", "kid": self.kid, **changed})

    def claims(self, **changed: object) -> dict[str, Any]:
        now_s = int(time())
        right = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "staff-1",
            "iat": now_s,
            "exp": now_s + 600,
            "scope": "orders:read",
            "principal_kind": "staff",
        }
        return given({**right, **changed})

    def signed(self, header: bytes, claims: bytes) -> str:
        signing_input = f"{encoded(header)}.{encoded(claims)}"
        return f"{signing_input}.{encoded(self.key.sign(signing_input.encode()))}"

    def token(
        self, header: dict[str, object] | None = None, claims: dict[str, object] | None = None
    ) -> str:
        """Return the right token with these members changed; None takes one away."""
        return self.signed(
            json.dumps(self.header(**(header or {}))).encode(),
            json.dumps(self.claims(**(claims or {}))).encode(),
        )

    def by(self, key: Any, algorithm: str, **header: object) -> str:  # noqa: ANN401 - of any kind.
        return jwt.encode(self.claims(), key, algorithm, self.header(alg=algorithm, **header))


def given(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def encoded(plain: bytes) -> str:
    return urlsafe_b64encode(plain).rstrip(b"=").decode()


def decoded(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def unsigned(forger: Forger) -> str:
    header, claims = forger.header(alg="none"), forger.claims()
    return f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}."


def by_the_public_key_as_secret(forger: Forger) -> str:
    public = forger.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = json.dumps(forger.header(alg="HS256")).encode()
    signing_input = f"{encoded(header)}.{encoded(json.dumps(forger.claims()).encode())}"
    signature = hmac.new(public, signing_input.encode(), sha256).digest()
    return f"{signing_input}.{encoded(signature)}"


def with_signature(change: Callable[[bytes], bytes]) -> Callable[[Forger], str]:
    def forge(forger: Forger) -> str:
        signing_input, _, signature = forger.token().rpartition(".")
        return f"{signing_input}.{encoded(change(decoded(signature)))}"

    return forge


def plus_order(signature: bytes) -> bytes:
    s = int.from_bytes(signature[32:], "little") + ED25519_ORDER
    return signature[:32] + s.to_bytes(32, "little")


def with_stray_bits(forger: Forger) -> str:
    """Spell the last byte of the signature in another way: four of its six bits count."""
    token = forger.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(token[-1])
    assert last % 16 == 0
    return token[:-1] + alphabet[last + 1]


def with_other_claims(forger: Forger) -> str:
    header, _, signature = forger.token().split(".")
    claims = json.dumps(forger.claims(scope="catalogue:write")).encode()
    return f"{header}.{encoded(claims)}.{signature}"


def with_a_claim_twice(forger: Forger) -> str:
    claims = json.dumps(forger.claims()).replace("{", '{"sub": "somebody-else", ', 1)
    return forger.signed(json.dumps(forger.header()).encode(), claims.encode())


def with_a_parameter_twice(forger: Forger) -> str:
    header = json.dumps(forger.header()).replace("{", '{"alg": "none", ', 1)
    return forger.signed(header.encode(), json.dumps(forger.claims()).encode())


def embedding_its_own_key(forger: Forger) -> str:
    key = Ed25519PrivateKey.generate()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": encoded(key.public_key().public_bytes_raw())}
    return forger.by(key, "EdDSA", jwk=jwk)


def nested_too_deep(forger: Forger) -> str:
    return forger.signed(json.dumps(forger.header()).encode(), b"[" * 2_500 + b"]" * 2_500)


# The suite may run for half an hour between this and a test: margins are wider than that.
NOW = int(time())
FORGERIES: dict[str, Callable[[Forger], str]] = {
    "not signed": unsigned,
    "not signed, in other letters": lambda f: f.token({"alg": "nOnE"}),
    "the public key as a shared secret": by_the_public_key_as_secret,
    "RS256": lambda f: f.by(rsa.generate_private_key(65537, 2048), "RS256"),
    "ES256, which this issuer does not use": lambda f: f.by(
        ec.generate_private_key(ec.SECP256R1()), "ES256"
    ),
    "ES384": lambda f: f.by(ec.generate_private_key(ec.SECP384R1()), "ES384"),
    "ES256K": lambda f: f.by(ec.generate_private_key(ec.SECP256K1()), "ES256K"),
    "another algorithm than its key's": lambda f: f.token({"alg": "ES256"}),
    "no algorithm": lambda f: f.token({"alg": None}),
    "a key of nobody under the id of the real one": lambda f: f.by(
        Ed25519PrivateKey.generate(), "EdDSA"
    ),
    "a key that it brings along": embedding_its_own_key,
    "jku": lambda f: f.token({"jku": "https://attacker.example/jwks.json"}),
    "x5u": lambda f: f.token({"x5u": "https://attacker.example/chain.pem"}),
    "x5c": lambda f: f.token({"x5c": ["MIIB"]}),
    "crit": lambda f: f.token({"crit": ["exp"]}),
    "b64": lambda f: f.token({"b64": False, "crit": ["b64"]}),
    "b64 that says what is so anyway": lambda f: f.token({"b64": True}),
    "zip": lambda f: f.token({"zip": "DEF"}),
    "cty": lambda f: f.token({"cty": "JWT"}),
    "kid unknown": lambda f: f.token({"kid": "another"}),
    "kid that leaves its folder": lambda f: f.token({"kid": "../../../../dev/null"}),
    "kid with SQL": lambda f: f.token({"kid": "' OR 1=1 --"}),
    "kid that is no text": lambda f: f.token({"kid": 7}),
    "kid missing": lambda f: f.token({"kid": None}),
    "typ of an ID token": lambda f: f.token({"typ": "JWT"}),
    "typ missing": lambda f: f.token({"typ": None}),
    "an ID token": lambda f: f.token(
        {"typ": "JWT"}, {"aud": "client-1", "nonce": "n", "scope": None, "principal_kind": None}
    ),
    "iss of somebody else": lambda f: f.token(claims={"iss": "https://attacker.example"}),
    "iss missing": lambda f: f.token(claims={"iss": None}),
    "iss as a list": lambda f: f.token(claims={"iss": [ISSUER]}),
    "aud of somebody else": lambda f: f.token(claims={"aud": "another-api"}),
    "aud that only begins like ours": lambda f: f.token(claims={"aud": AUDIENCE + "-test"}),
    "aud missing": lambda f: f.token(claims={"aud": None}),
    "aud empty": lambda f: f.token(claims={"aud": []}),
    "exp passed": lambda f: f.token(claims={"iat": NOW - 7_200, "exp": NOW - 3_600}),
    "exp missing": lambda f: f.token(claims={"exp": None}),
    "exp as text": lambda f: f.token(claims={"exp": str(NOW + 600)}),
    "exp at the end of time": lambda f: f.token(claims={"exp": 10**300}),
    "exp infinite": lambda f: f.token(claims={"exp": float("inf")}),
    "exp before iat": lambda f: f.token(claims={"iat": NOW + 20, "exp": NOW + 10}),
    "nbf to come": lambda f: f.token(claims={"nbf": NOW + 3_000, "exp": NOW + 3_600}),
    "iat to come": lambda f: f.token(claims={"iat": NOW + 3_000, "exp": NOW + 3_600}),
    "iat missing": lambda f: f.token(claims={"iat": None}),
    "a life that is too long": lambda f: f.token(claims={"exp": NOW + 7 * 86_400}),
    "sub missing": lambda f: f.token(claims={"sub": None}),
    "sub with a line end": lambda f: f.token(claims={"sub": "staff-1\n"}),
    "sub that is too long": lambda f: f.token(claims={"sub": "s" * 65}),
    "kind unknown": lambda f: f.token(claims={"principal_kind": "system"}),
    "kind missing": lambda f: f.token(claims={"principal_kind": None}),
    "scope as a list": lambda f: f.token(claims={"scope": ["orders:read"]}),
    "a claim twice": with_a_claim_twice,
    "a parameter twice": with_a_parameter_twice,
    "claims exchanged": with_other_claims,
    "signature missing": with_signature(lambda _: b""),
    "signature cut short": with_signature(lambda signature: signature[:-1]),
    "signature with more behind it": with_signature(lambda signature: signature + b"\x00"),
    "signature of zeros": with_signature(lambda _: bytes(64)),
    "signature with one bit changed": with_signature(lambda s: bytes([s[0] ^ 1]) + s[1:]),
    "signature beyond the group's order": with_signature(plus_order),
    "signature with stray bits": with_stray_bits,
    "four parts": lambda f: f.token() + ".AAAA",
    "five parts, as if encrypted": lambda f: f.token({"enc": "A256GCM"}) + ".AAAA.AAAA",
    "two parts": lambda f: f.token().rpartition(".")[0],
    "padding": lambda f: f.token() + "==",
    "a line end within": lambda f: f.token().replace(".", ".%0A", 1),
    "claims that are no object": lambda f: f.signed(json.dumps(f.header()).encode(), b'"staff-1"'),
    "claims that are no JSON": lambda f: f.signed(json.dumps(f.header()).encode(), b"{'sub': 1}"),
    "claims that are no UTF-8": lambda f: f.signed(
        json.dumps(f.header()).encode(), b'{"a":"\xff"}'
    ),
    "claims nested too deep": nested_too_deep,
    "larger than a token may be": lambda f: f.token(claims={"note": "x" * 8_000}),
    "not a token": lambda _: "staff-token",
    "a digest": lambda f: sha256(f.token().encode()).hexdigest(),
}


def test_there_are_more_than_twenty() -> None:
    assert len(FORGERIES) > 60


async def test_each_is_refused_over_http_and_the_right_one_is_not(
    database: Database, tmp_path: Path
) -> None:
    callers = Callers(tmp_path)
    forger = Forger(callers)
    async with (
        api_process(database, tmp_path) as (_, port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        answers = {
            name: await client.get("/v1/orders", headers=bearer(token))
            for name, token in ((name, forge(forger)) for name, forge in FORGERIES.items())
        }
        right = await client.get("/v1/orders", headers=bearer(forger.token()))

    refused = (401, 'Bearer error="invalid_token"', "unauthenticated")
    assert {name: shown(answer) for name, answer in answers.items()} == dict.fromkeys(
        FORGERIES, refused
    )
    assert right.status_code == 200


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def shown(answer: httpx.Response) -> tuple[int, str | None, str]:
    code = answer.json().get("type", "").rpartition("/")[2]
    return answer.status_code, answer.headers.get("www-authenticate"), code


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
async def test_each_spelling_of_the_type_is_taken(shared_api: Api, typ: str) -> None:
    token = Forger(shared_api.callers).token(
        {"typ": typ, "x5t": "thumbprint"}, {"aud": ["a", AUDIENCE]}
    )

    assert (await shared_api.get("/v1/orders", caller=token)).status_code == 200


async def test_a_clock_that_is_a_little_off_is_forgiven(shared_api: Api) -> None:
    now_s = int(time())
    late = {"iat": now_s - 600, "exp": now_s - 5}
    early = {"iat": now_s + 5, "nbf": now_s + 5}

    for claims in (late, early):
        token = Forger(shared_api.callers).token(claims={**claims})
        assert (await shared_api.get("/v1/orders", caller=token)).status_code == 200
