"""What may be pinned, and what contradicts itself."""

import msgspec
import pytest

from libs.foundation.web.bearer.settings import AuthenticationSettings

GOOD = {
    "issuer": "https://id.example",
    "audience": "orderly",
    "kinds": ["staff"],
    "algorithms": ["ES256"],
    "jwks_url": "https://id.example/jwks.json",
}


def settings(*issuers: object, **changed: int) -> AuthenticationSettings:
    return AuthenticationSettings(issuers=msgspec.json.encode(issuers).decode(), **changed)


@pytest.mark.parametrize(
    "url",
    [
        "https://id.example/jwks.json",
        "http://127.0.0.1:8080/jwks.json",
        "http://localhost/jwks",
        "http://[::1]:80/jwks",
    ],
)
def test_keys_come_by_https_or_from_this_machine(url: str) -> None:
    (issuer,) = settings({**GOOD, "jwks_url": url}).pinned()

    assert issuer.jwks_url == url


@pytest.mark.parametrize(
    "changed",
    [
        {"jwks_url": "http://id.example/jwks.json"},
        {"jwks_url": "http://127.0.0.1.example/jwks.json"},
        {"jwks_url": "https://name:password@id.example/jwks.json"},
        {"jwks_url": "file:///etc/passwd"},
        {"jwks_file": "/run/keys.json"},
        {"jwks_url": None},
        {"algorithms": ["HS256"]},
        {"algorithms": ["RS256"]},
        {"algorithms": ["none"]},
        {"algorithms": []},
        {"kinds": []},
        {"audience": ""},
        {"secret": "s3cret"},
    ],
)
def test_an_issuer_that_is_not_safe_fails_the_start(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="issuers"):
        settings({**GOOD, **changed})


def test_two_issuers_never_speak_for_one_kind() -> None:
    other = {**GOOD, "issuer": "https://other.example"}

    with pytest.raises(ValueError, match="kinds twice: staff"):
        settings(GOOD, other)
    assert len(settings(GOOD, {**other, "kinds": ["machine"]}).pinned()) == 2


def test_one_issuer_is_pinned_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        settings(GOOD, {**GOOD, "kinds": ["machine"]})


def test_at_least_one_issuer_is_pinned() -> None:
    with pytest.raises(ValueError, match="none"):
        settings()


@pytest.mark.parametrize("changed", [{"keys_timeout_ms": 300_000}, {"keys_age_max_ms": 500_000}])
def test_times_that_contradict_each_other_fail_the_start(changed: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="keys"):
        settings(GOOD, **changed)
