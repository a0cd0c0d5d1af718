"""Which issuers are trusted, with what, and how long keys and verified tokens are kept."""

from typing import Annotated, Final, Self
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from libs.foundation.web.bearer.key_sets import Algorithm

_LEEWAY_MAX_S: Final = 60
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

Positive = Annotated[int, Meta(ge=1)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]


class Issuer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pinned issuer; of `jwks_url` and `jwks_file` one is given.

    `kinds` are the kinds of principals it speaks for. No kind has two issuers: a subject is unique
    within its issuer alone, and who issues tokens of one kind must not make those of another.
    """

    issuer: Name
    audience: Name
    kinds: Annotated[tuple[Name, ...], Meta(min_length=1)]
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)]
    jwks_url: Name | None = None
    jwks_file: Name | None = None

    def __post_init__(self) -> None:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError(f"{self.issuer} needs either jwks_url or jwks_file")
        if self.jwks_url is not None and not _is_safe(self.jwks_url):
            raise ValueError(f"the jwks_url of {self.issuer} must be https, or http on loopback")


class AuthenticationSettings(Struct, frozen=True, kw_only=True):
    """How bearer tokens are verified."""

    issuers: str
    """Pinned issuers, a JSON list of {issuer, audience, kinds, algorithms, jwks_url or jwks_file};
    it holds no secret."""
    leeway_s: Annotated[int, Meta(ge=0, le=_LEEWAY_MAX_S)] = 30
    """How far an issuer's clock may be off."""
    token_lifetime_max_s: Positive = 86_400
    """Longest time between iat and exp; a token that lives longer is refused."""
    token_characters_max: Positive = 8_192
    """Longest token."""
    tokens_kept_max: Positive = 10_000
    """Most verified tokens that are remembered; the least recently used is forgotten first."""
    keys_refresh_ms: Positive = 300_000
    """Mean pause between looks at an issuer's keys: how long a withdrawn key still counts."""
    keys_age_max_ms: Positive = 21_600_000
    """Longest time that keys are used without having been read again; then tokens get 503."""
    keys_timeout_ms: Positive = 3_000
    """Longest time for one reading of an issuer's keys."""
    unknown_key_pause_ms: Positive = 30_000
    """Least pause between two readings that tokens with an unknown key set off."""

    def __post_init__(self) -> None:
        if self.keys_timeout_ms >= self.keys_refresh_ms:
            raise ValueError("keys_timeout_ms < keys_refresh_ms must hold")
        if self.keys_refresh_ms * 2 > self.keys_age_max_ms:
            raise ValueError("keys_age_max_ms must allow two refreshes of keys_refresh_ms")
        self.pinned()

    def pinned(self) -> tuple[Issuer, ...]:
        """Return the issuers; raise ValueError when they contradict each other."""
        try:
            issuers = msgspec.json.decode(self.issuers, type=tuple[Issuer, ...])
        except msgspec.DecodeError as error:
            raise ValueError(f"issuers: {error}") from None
        _refuse_repeats("issuers", [each.issuer for each in issuers])
        _refuse_repeats("kinds", [kind for each in issuers for kind in each.kinds])
        if not issuers:
            raise ValueError("issuers names none")
        return issuers

    @classmethod
    def of(cls, *issuers: Issuer) -> Self:
        """Return the defaults for these issuers."""
        return cls(issuers=msgspec.json.encode(issuers).decode())


def _refuse_repeats(what: str, names: list[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"issuers has {what} twice: {', '.join(repeated)}")


def _is_safe(url: str) -> bool:
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
