"""Who is calling: bearer tokens known by their digest, and the scopes each one carries."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from libs.foundation.web.refusals import InsufficientScope, InvalidToken, Unauthenticated

EVERY_SCOPE: Final = "*"
_SCHEME: Final = "bearer "


class Principal(Struct, frozen=True, kw_only=True):
    """An authenticated caller; `scopes` is what it may do, `name` is unique within its kind."""

    kind: str
    name: str
    scopes: frozenset[str]

    @property
    def id(self) -> str:
        """Name of the caller among all kinds."""
        return f"{self.kind}:{self.name}"

    def require(self, *accepted: str) -> None:
        """Raise InsufficientScope unless the caller has one of the accepted scopes."""
        if self.scopes.isdisjoint(accepted):
            raise InsufficientScope(*accepted)


class _Token(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    token_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    principal: Annotated[str, Meta(min_length=1, max_length=64)]
    kind: str
    scopes: tuple[str, ...]


class BearerTokens:
    """Tokens by SHA-256: looking up a digest tells an attacker's clock nothing about a token.

    `open_to` names the kinds of callers and the scopes each may have; a token of another kind,
    or with a scope its kind may not have, fails the start. `*` is every scope of the kind.
    """

    def __init__(self, file_content: str, open_to: Mapping[str, frozenset[str]]) -> None:
        tokens = msgspec.json.decode(file_content, type=list[_Token])
        self._principals = {bytes.fromhex(t.token_sha256): _principal(t, open_to) for t in tokens}

    def authenticate(self, authorization: Sequence[str]) -> Principal:
        """Return whose token the Authorization headers carry."""
        if not authorization:
            raise Unauthenticated
        value = authorization[0]
        if len(authorization) > 1 or not value.lower().startswith(_SCHEME):
            raise InvalidToken
        digest = hashlib.sha256(value[len(_SCHEME) :].strip().encode()).digest()
        principal = self._principals.get(digest)
        if principal is None:
            raise InvalidToken
        return principal


def _principal(token: _Token, open_to: Mapping[str, frozenset[str]]) -> Principal:
    if token.kind not in open_to:
        raise ValueError(f"the token of {token.principal} has the unknown kind {token.kind!r}")
    allowed = open_to[token.kind]
    wanted = frozenset(token.scopes)
    if EVERY_SCOPE in wanted:
        wanted = allowed
    if not wanted <= allowed:
        beyond = ", ".join(sorted(wanted - allowed))
        raise ValueError(f"the token of {token.principal} ({token.kind}) may not have {beyond}")
    return Principal(kind=token.kind, name=token.principal, scopes=wanted)
