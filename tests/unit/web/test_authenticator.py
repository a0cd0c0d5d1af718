"""Who is let in, and for how long a verified token is remembered."""

from collections.abc import AsyncIterator
from pathlib import Path
from time import time

import pytest
from msgspec.structs import replace
from prometheus_client import REGISTRY

from libs.foundation.web.authentication import Principal
from libs.foundation.web.bearer import authenticator as authenticator_module
from libs.foundation.web.bearer import verification as verification_module
from libs.foundation.web.bearer.authenticator import Authenticator, open_authenticator
from libs.foundation.web.refusals import InsufficientScope, InvalidToken, Unauthenticated
from libs.testkit.callers import Callers

OPEN_TO = {
    "customer": frozenset({"orders:read"}),
    "staff": frozenset({"orders:read", "stock:write"}),
    "machine": frozenset({"orders:read"}),
}


@pytest.fixture
def callers(tmp_path: Path) -> Callers:
    return Callers(tmp_path)


@pytest.fixture
async def authenticator(callers: Callers) -> AsyncIterator[Authenticator]:
    settings = replace(callers.settings, tokens_kept_max=2)
    async with open_authenticator(settings, OPEN_TO) as authenticator:
        yield authenticator


def verified() -> float:
    """Return how many tokens were accepted by a check so far."""
    return REGISTRY.get_sample_value("tokens_verified_total", {"outcome": "accepted"}) or 0.0


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
async def test_a_token_is_its_subject_with_the_scopes_of_the_kind(
    callers: Callers, authenticator: Authenticator, scheme: str
) -> None:
    token = callers.token("p-1", "staff", ["orders:read", "stock:write"])

    principal = await authenticator.authenticate([scheme + token])

    scopes = frozenset({"orders:read", "stock:write"})
    assert principal == Principal(kind="staff", name="p-1", scopes=scopes)
    assert principal.id == "staff:p-1"


async def test_a_scope_beyond_the_kind_grants_nothing(
    callers: Callers, authenticator: Authenticator
) -> None:
    token = callers.token("p-1", "customer", ["orders:read", "stock:write", "made:up"])

    principal = await authenticator.authenticate([f"Bearer {token}"])

    assert principal.scopes == {"orders:read"}
    with pytest.raises(InsufficientScope) as refused:
        principal.require("stock:write")
    challenge = 'Bearer error="insufficient_scope", scope="stock:write"'
    assert refused.value.headers["WWW-Authenticate"] == challenge


@pytest.mark.parametrize(
    "headers", [["Basic secret"], ["secret"], ["Bearer"], ["Bearer "], ["Bearer a", "Bearer b"]]
)
async def test_any_other_credential_is_refused_as_invalid(
    authenticator: Authenticator, headers: list[str]
) -> None:
    with pytest.raises(InvalidToken) as refused:
        await authenticator.authenticate(headers)

    assert refused.value.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


async def test_no_credential_gets_the_bare_challenge(authenticator: Authenticator) -> None:
    with pytest.raises(Unauthenticated) as refused:
        await authenticator.authenticate([])

    assert refused.value.headers["WWW-Authenticate"] == "Bearer"


async def test_a_token_is_verified_once(callers: Callers, authenticator: Authenticator) -> None:
    header = [f"Bearer {callers.token('p-1', 'staff')}"]
    before = verified()

    principals = [await authenticator.authenticate(header) for _ in range(10)]

    assert verified() == before + 1
    assert len(set(map(id, principals))) == 1


async def test_the_least_recently_used_token_is_forgotten_first(
    callers: Callers, authenticator: Authenticator
) -> None:
    headers = [[f"Bearer {callers.token(name, 'staff')}"] for name in ("a", "b", "c")]
    before = verified()

    for number in (0, 1, 0, 2, 0, 1):
        await authenticator.authenticate(headers[number])

    assert verified() == before + 4


async def test_a_remembered_token_ends_with_its_exp(
    callers: Callers, authenticator: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = [f"Bearer {callers.token('p-1', 'staff', lifetime_s=600)}"]
    await authenticator.authenticate(header)
    leeway_s = callers.settings.leeway_s

    later_s = time() + 600 + leeway_s + 1
    for module in (authenticator_module, verification_module):
        monkeypatch.setattr(module, "time", lambda: later_s)

    with pytest.raises(InvalidToken, match="expired"):
        await authenticator.authenticate(header)


async def test_other_keys_make_every_token_be_verified_anew(
    callers: Callers, authenticator: Authenticator
) -> None:
    header = [f"Bearer {callers.token('p-1', 'staff')}"]
    await authenticator.authenticate(header)
    before = verified()

    callers.keys.rotate()
    callers.publish()
    await authenticator.read_keys()
    await authenticator.authenticate(header)

    assert verified() == before + 1


async def test_a_token_of_a_withdrawn_key_is_refused_once_the_keys_were_read(
    callers: Callers, authenticator: Authenticator
) -> None:
    old = callers.keys.current
    header = [f"Bearer {callers.token('p-1', 'staff')}"]
    await authenticator.authenticate(header)

    callers.keys.rotate()
    callers.keys.withdraw(old)
    callers.publish()
    await authenticator.authenticate(header)
    await authenticator.read_keys()

    with pytest.raises(InvalidToken, match="no such key"):
        await authenticator.authenticate(header)


async def test_an_issuer_that_speaks_for_an_unknown_kind_fails_the_start(callers: Callers) -> None:
    with pytest.raises(ValueError, match="unknown kinds: customer, machine"):
        async with open_authenticator(callers.settings, {"staff": frozenset()}):
            pass
