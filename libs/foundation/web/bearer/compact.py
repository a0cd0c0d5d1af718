"""Takes a token in compact form apart, and refuses whatever two parsers could read differently.

PyJWT, which checks the signature, takes the last of two equal members, stray bits in base64url,
NaN, and a key that the token itself names in parameters it ignores.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from typing import Annotated, Any, Final, NoReturn, cast

import msgspec
from msgspec import Meta, Struct

from libs.foundation.web.bearer.refused import Reason, TokenRefused

_FORM: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
# Of Ed25519 and of ECDSA over P-256 alike.
_SIGNATURE_BYTES: Final = 64
# Where a key is to be fetched or taken from, what must be understood, what changes the meaning of
# the bytes: an access token needs none of them, and each has been the way into some verifier.
_REFUSED_PARAMETERS: Final = frozenset(
    {"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty", "epk", "apu", "apv", "p2s"}
)
_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})


class Header(Struct, frozen=True):
    """The parameters that are read; others that are not refused mean nothing here."""

    alg: Annotated[str, Meta(max_length=16)]
    kid: Annotated[str, Meta(min_length=1, max_length=200)]
    typ: Annotated[str, Meta(max_length=32)]


class Compact(Struct, frozen=True):
    """A token's header and claims; nothing of it is true before its signature was checked."""

    header: Header
    claims: dict[str, Any]


def take_apart(token: str, characters_max: int) -> Compact:
    """Return the parts of a token; raise TokenRefused unless it is an access token in form."""
    parts = _FORM.fullmatch(token) if len(token) <= characters_max else None
    if parts is None or len(_decoded(parts[3])) != _SIGNATURE_BYTES:
        raise TokenRefused(Reason.MALFORMED)
    return Compact(_header(_object(parts[1])), _object(parts[2]))


def _header(parameters: dict[str, Any]) -> Header:
    try:
        header = msgspec.convert(parameters, Header)
    except msgspec.ValidationError:
        raise TokenRefused(Reason.HEADER) from None
    if not _REFUSED_PARAMETERS.isdisjoint(parameters) or header.typ.lower() not in _TYPES:
        raise TokenRefused(Reason.HEADER)
    return header


def _object(segment: str) -> dict[str, Any]:
    try:
        value = json.loads(
            _decoded(segment).decode(),
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        raise TokenRefused(Reason.MALFORMED) from None
    if not isinstance(value, dict):
        raise TokenRefused(Reason.MALFORMED)
    return cast("dict[str, Any]", value)


def _decoded(segment: str) -> bytes:
    """Decode base64url; other spellings of the same bytes are refused."""
    try:
        plain = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except BadBase64:
        raise TokenRefused(Reason.MALFORMED) from None
    if urlsafe_b64encode(plain).rstrip(b"=") != segment.encode():
        raise TokenRefused(Reason.MALFORMED)
    return plain


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is given twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
