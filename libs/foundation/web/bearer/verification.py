"""Verifies an access token: form, issuer, claims, times, key and signature, in this order."""

from collections.abc import Mapping
from time import time
from typing import Annotated, Any, Final

import jwt
import msgspec
from msgspec import Meta, Struct

from libs.foundation.web.authentication import Principal
from libs.foundation.web.bearer.compact import Compact, take_apart
from libs.foundation.web.bearer.issuer_keys import IssuerKeys
from libs.foundation.web.bearer.key_sets import VerifyingKey
from libs.foundation.web.bearer.refused import Reason, TokenRefused
from libs.foundation.web.bearer.settings import AuthenticationSettings, Issuer

_SECONDS_MAX: Final = 253_402_300_799  # The end of the year 9999.
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat")

Seconds = Annotated[int, Meta(ge=0, le=_SECONDS_MAX)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]


class _Claims(Struct, frozen=True):
    """The claims that are read; `sub` becomes the principal's name."""

    iss: Text
    sub: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,64}\Z")]
    aud: Text | Annotated[list[Text], Meta(min_length=1, max_length=16)]
    exp: Seconds
    iat: Seconds
    principal_kind: Annotated[str, Meta(min_length=1, max_length=32)]
    nbf: Seconds | None = None
    scope: Annotated[str, Meta(max_length=2_000, pattern=r"^[\x21-\x7e ]*\Z")] = ""


class Verified(Struct, frozen=True):
    """Whose token it is, and until when that needs no second look."""

    principal: Principal
    until_s: float


class Verifier:
    """`open_to` names the kinds of principals and the scopes each may have.

    A scope beyond those of the principal's kind is dropped: it grants nothing.
    """

    def __init__(
        self,
        issuers: Mapping[str, tuple[Issuer, IssuerKeys]],
        open_to: Mapping[str, frozenset[str]],
        settings: AuthenticationSettings,
    ) -> None:
        self._issuers = issuers
        self._open_to = open_to
        self._settings = settings

    async def verify(self, token: str) -> Verified:
        """Return whose token it is; raise TokenRefused.

        What costs nothing comes first: only a token that is right in everything but its key can
        set off a reading of keys, and only one with a known key a check of its signature.
        """
        parts = take_apart(token, self._settings.token_characters_max)
        pinned = self._issuers.get(str(parts.claims.get("iss")))
        if pinned is None:
            raise TokenRefused(Reason.ISSUER)
        issuer, keys = pinned
        claims = self._checked(parts, issuer)
        key = await keys.find(parts.header.kid)
        if key is None or key.algorithm != parts.header.alg:
            raise TokenRefused(Reason.UNKNOWN_KEY)
        _check_signature(token, key, issuer, self._settings.leeway_s)
        scopes = frozenset(claims.scope.split(" ")) & self._open_to[claims.principal_kind]
        principal = Principal(kind=claims.principal_kind, name=claims.sub, scopes=scopes)
        return Verified(principal, min(claims.exp, time() + keys.usable_s))

    def _checked(self, parts: Compact, issuer: Issuer) -> _Claims:
        if parts.header.alg not in issuer.algorithms:
            raise TokenRefused(Reason.ALGORITHM)
        claims = _claims(parts.claims)
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if issuer.audience not in audiences:
            raise TokenRefused(Reason.AUDIENCE)
        self._check_times(claims)
        if claims.principal_kind not in issuer.kinds or claims.principal_kind not in self._open_to:
            raise TokenRefused(Reason.KIND)
        return claims

    def _check_times(self, claims: _Claims) -> None:
        now_s, leeway_s = time(), self._settings.leeway_s
        if claims.exp + leeway_s <= now_s:
            raise TokenRefused(Reason.EXPIRED)
        if max(claims.iat, claims.nbf or 0) - leeway_s > now_s:
            raise TokenRefused(Reason.NOT_YET_VALID)
        if not 0 < claims.exp - claims.iat <= self._settings.token_lifetime_max_s:
            raise TokenRefused(Reason.LIFETIME)


def _claims(claims: dict[str, Any]) -> _Claims:
    try:
        return msgspec.convert(claims, _Claims)
    except msgspec.ValidationError:
        raise TokenRefused(Reason.CLAIMS) from None


def _check_signature(token: str, key: VerifyingKey, issuer: Issuer, leeway_s: int) -> None:
    """Check the signature with this one key and algorithm; PyJWT looks at the claims once more."""
    try:
        jwt.decode(
            token,
            key.jwk,
            algorithms=[key.algorithm],
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=leeway_s,
            options={"require": list(_REQUIRED)},
        )
    except jwt.InvalidSignatureError:
        raise TokenRefused(Reason.SIGNATURE) from None
    except jwt.PyJWTError:
        raise TokenRefused(Reason.CLAIMS) from None
