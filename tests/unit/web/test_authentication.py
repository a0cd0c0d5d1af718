"""Bearer tokens: who is let in, and with which scopes."""

import hashlib
import json

import pytest

from libs.foundation.web.authentication import BearerTokens, Principal
from libs.foundation.web.refusals import InsufficientScope, InvalidToken, Unauthenticated

OPEN_TO = {"staff": frozenset({"things:read", "things:write"}), "guest": frozenset({"things:read"})}


def tokens(*scopes: str, kind: str = "staff", token: str = "secret") -> BearerTokens:
    digest = hashlib.sha256(token.encode()).hexdigest()
    entry = {"token_sha256": digest, "principal": "p-1", "kind": kind, "scopes": scopes}
    return BearerTokens(json.dumps([entry]), OPEN_TO)


@pytest.mark.parametrize("header", ["Bearer secret", "bearer secret", "Bearer  secret "])
def test_a_known_token_is_its_principal(header: str) -> None:
    principal = tokens("things:read").authenticate([header])

    assert principal == Principal(kind="staff", name="p-1", scopes=frozenset({"things:read"}))
    assert principal.id == "staff:p-1"


@pytest.mark.parametrize(
    "headers",
    [["Bearer other"], ["Bearer "], ["Basic secret"], ["secret"], ["Bearer secret", "Bearer x"]],
)
def test_any_other_credential_is_refused_as_invalid(headers: list[str]) -> None:
    with pytest.raises(InvalidToken) as refused:
        tokens("things:read").authenticate(headers)

    assert refused.value.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_no_credential_gets_the_bare_challenge() -> None:
    with pytest.raises(Unauthenticated) as refused:
        tokens().authenticate([])

    assert refused.value.headers["WWW-Authenticate"] == "Bearer"


def test_a_star_is_every_scope_of_the_kind_and_no_more() -> None:
    guest = tokens("*", kind="guest").authenticate(["Bearer secret"])

    assert guest.scopes == {"things:read"}


def test_a_caller_needs_one_of_the_accepted_scopes() -> None:
    principal = tokens("things:read").authenticate(["Bearer secret"])

    principal.require("things:write", "things:read")
    with pytest.raises(InsufficientScope) as refused:
        principal.require("things:write")
    challenge = 'Bearer error="insufficient_scope", scope="things:write"'
    assert refused.value.headers["WWW-Authenticate"] == challenge


@pytest.mark.parametrize(
    ("kind", "scope"), [("guest", "things:write"), ("stranger", "things:read"), ("staff", "x")]
)
def test_a_token_that_promises_too_much_fails_the_start(kind: str, scope: str) -> None:
    with pytest.raises(ValueError, match="the token of p-1"):
        tokens(scope, kind=kind)
