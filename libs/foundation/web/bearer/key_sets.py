"""Reads a JSON Web Key Set: only public keys that one accepted algorithm can use, by their id."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias

import jwt
import msgspec
from msgspec import Meta, Struct

Algorithm: TypeAlias = Literal["EdDSA", "ES256"]
DOCUMENT_BYTES_MAX: Final = 64 * 1_024
_KEYS_MAX: Final = 64
# The key alone decides which algorithm it is used with; the token can only agree.
_ALGORITHMS: Final[Mapping[tuple[str, str], Algorithm]] = {
    ("OKP", "Ed25519"): "EdDSA",
    ("EC", "P-256"): "ES256",
}


class KeySetRefused(Exception):
    """The document cannot be used; the keys that were known before stay."""


class _Jwk(Struct, frozen=True):
    kty: str
    crv: str = ""
    kid: Annotated[str, Meta(max_length=200)] = ""
    x: str = ""
    y: str = ""
    use: str = "sig"
    key_ops: tuple[str, ...] = ("verify",)
    alg: str | None = None
    d: Any = None


class _Document(Struct, frozen=True):
    keys: Annotated[tuple[msgspec.Raw, ...], Meta(max_length=_KEYS_MAX)]


class VerifyingKey(Struct, frozen=True, eq=False):
    """A public key, bound to its algorithm; `material` tells two keys apart."""

    kid: str
    algorithm: Algorithm
    material: tuple[str, str]
    jwk: jwt.PyJWK


Keys: TypeAlias = Mapping[str, VerifyingKey]


def parse_key_set(document: bytes, algorithms: Collection[Algorithm]) -> Keys:
    """Return the usable keys by id; raise KeySetRefused when there is none, or one id twice."""
    try:
        members = msgspec.json.decode(document, type=_Document).keys
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise KeySetRefused("it is not a JSON Web Key Set") from None
    keys: dict[str, VerifyingKey] = {}
    for member in members:
        key = _key(member, algorithms)
        if key is None:
            continue
        if key.kid in keys:
            raise KeySetRefused("two of its keys have one id")
        keys[key.kid] = key
    if not keys:
        raise KeySetRefused("it has no key that an accepted algorithm can use")
    return keys


def same(one: Keys, other: Keys) -> bool:
    """Say whether two sets hold the same keys under the same ids."""
    return {kid: key.material for kid, key in one.items()} == {
        kid: key.material for kid, key in other.items()
    }


def _key(member: msgspec.Raw, algorithms: Collection[Algorithm]) -> VerifyingKey | None:
    """Return the key, or None for one of another purpose: issuers publish those in the same set."""
    try:
        jwk = msgspec.json.decode(member, type=_Jwk)
    except msgspec.ValidationError:
        return None
    algorithm = _ALGORITHMS.get((jwk.kty, jwk.crv))
    # A private key in public is known to everybody.
    is_public = jwk.kid != "" and jwk.d is None
    verifies = jwk.use == "sig" and "verify" in jwk.key_ops
    if algorithm not in algorithms or jwk.alg not in {None, algorithm}:
        return None
    if algorithm is None or not is_public or not verifies:
        return None
    public = {"kty": jwk.kty, "crv": jwk.crv, "x": jwk.x, "y": jwk.y}
    try:
        usable = jwt.PyJWK(public, algorithm)
    except (jwt.PyJWTError, ValueError):
        return None
    return VerifyingKey(jwk.kid, algorithm, (jwk.x, jwk.y), usable)
