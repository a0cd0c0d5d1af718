"""The development issuer as a process: keys that stay, rotation, outages, and where it may run."""

import asyncio
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from deploy.local.layout import STACK_VARIABLE
from deploy.local.ports import LOOPBACK, free_port, free_ports
from deploy.local.signing import ALGORITHM, AUDIENCE, ISSUER, KINDS
from libs.foundation.web.bearer.authenticator import Authenticator, open_authenticator
from libs.foundation.web.bearer.settings import AuthenticationSettings
from libs.foundation.web.bearer.settings import Issuer as PinnedIssuer
from libs.foundation.web.refusals import InvalidToken, Overloaded
from libs.testkit.eventually import eventually
from libs.testkit.faults import ServiceProcess, running

OPEN_TO = {kind: frozenset({"orders:read"}) for kind in KINDS}
REFUSED_TO_START = 78


class Issuer:
    """The running process, by its HTTP interface."""

    def __init__(self, url: str, process: ServiceProcess, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.process = process
        self._session = session

    async def token(self, subject: str = "ada", **asked: object) -> str:
        body = {"subject": subject, "kind": "customer", **asked}
        async with self._session.post(f"{self.url}/tokens", json=body) as answer:
            answer.raise_for_status()
            return (await answer.json())["access_token"]

    async def key_ids(self) -> list[str]:
        async with self._session.get(f"{self.url}/jwks.json") as answer:
            document: dict[str, Any] = await answer.json(content_type=None)
        return [key["kid"] for key in document["keys"]]

    async def rotate(self) -> str:
        async with self._session.post(f"{self.url}/keys") as answer:
            return (await answer.json())["kid"]

    async def withdraw(self, kid: str) -> int:
        async with self._session.delete(f"{self.url}/keys/{kid}") as answer:
            return answer.status

    async def restart(self) -> None:
        await self.process.kill()
        await self.process.start()


@asynccontextmanager
async def issuer_process(folder: Path) -> AsyncGenerator[Issuer]:
    port, side_port = free_ports(2)
    async with (
        running(
            "deploy.local.issuer",
            environment=variables(folder, port, side_port),
            side_port=side_port,
        ) as process,
        aiohttp.ClientSession() as session,
    ):
        yield Issuer(f"http://{LOOPBACK}:{port}", process, session)


def variables(folder: Path, port: int, side_port: int) -> dict[str, str]:
    return {
        STACK_VARIABLE: str(folder),
        "ISSUER_PORT": str(port),
        "ISSUER_PROCESS_SIDE_PORT": str(side_port),
        "ISSUER_KEYS_PATH": str(folder / "issuer" / "keys.json"),
    }


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[Issuer]:
    async with issuer_process(tmp_path) as issuer:
        yield issuer


def settings(url: str) -> AuthenticationSettings:
    pinned = PinnedIssuer(
        issuer=ISSUER,
        audience=AUDIENCE,
        kinds=KINDS,
        algorithms=(ALGORITHM,),
        jwks_url=f"{url}/jwks.json",
    )
    # Rotations of a test follow each other faster than those of an identity provider.
    return replace(AuthenticationSettings.of(pinned), unknown_key_pause_ms=1)


async def enter(authenticator: Authenticator, token: str) -> str:
    return (await authenticator.authenticate([f"Bearer {token}"])).name


async def test_keys_are_rotated_without_refusing_anybody(issuer: Issuer) -> None:
    old = await issuer.token("before")
    async with open_authenticator(settings(issuer.url), OPEN_TO) as api:
        names: list[str] = []
        for number in range(5):
            await issuer.rotate()
            tokens = [await issuer.token(f"ada-{number}-{n}") for n in range(10)]
            names += await asyncio.gather(*[enter(api, token) for token in tokens])
            names.append(await enter(api, old))

    assert len(names) == 5 * 11
    assert len(await issuer.key_ids()) == 6


async def test_a_withdrawn_key_ends_its_tokens(issuer: Issuer) -> None:
    (old,) = await issuer.key_ids()
    token = await issuer.token()
    async with open_authenticator(settings(issuer.url), OPEN_TO) as api:
        await enter(api, token)
        await issuer.rotate()
        assert await issuer.withdraw(old) == 204

        await enter(api, await issuer.token("new"))

        with pytest.raises(InvalidToken):
            await enter(api, token)


async def test_the_key_that_signs_is_not_withdrawn(issuer: Issuer) -> None:
    (current,) = await issuer.key_ids()

    assert await issuer.withdraw(current) == 409
    assert await issuer.withdraw("unknown") == 409


async def test_an_outage_of_the_issuer_does_not_end_tokens(issuer: Issuer) -> None:
    known, unseen = await issuer.token("known"), await issuer.token("unseen")
    async with open_authenticator(settings(issuer.url), OPEN_TO) as api:
        await enter(api, known)
        await issuer.process.kill()
        await api.read_keys()

        assert [await enter(api, known), await enter(api, unseen)] == ["known", "unseen"]
        assert api.readiness().ready

        await issuer.process.start()
        await issuer.rotate()
        assert await enter(api, await issuer.token("later")) == "later"


async def test_without_keys_nobody_enters_until_they_can_be_read(tmp_path: Path) -> None:
    port, side_port = free_ports(2)
    async with open_authenticator(settings(f"http://{LOOPBACK}:{port}"), OPEN_TO) as api:
        assert not api.readiness().ready
        environment = variables(tmp_path, port, side_port)
        async with (
            running("deploy.local.issuer", environment=environment, side_port=side_port) as process,
            aiohttp.ClientSession() as session,
        ):
            token = await Issuer(f"http://{LOOPBACK}:{port}", process, session).token()
            await eventually(lambda: api.readiness().ready)

            assert await enter(api, token) == "ada"


async def test_a_token_is_not_judged_while_no_keys_are_known(issuer: Issuer) -> None:
    token = await issuer.token()
    async with open_authenticator(settings(f"http://{LOOPBACK}:{free_port()}"), OPEN_TO) as api:
        with pytest.raises(Overloaded):
            await enter(api, token)


async def test_a_restart_keeps_the_key_in_a_file_of_its_owner(
    issuer: Issuer, tmp_path: Path
) -> None:
    before, token = await issuer.key_ids(), await issuer.token()
    async with open_authenticator(settings(issuer.url), OPEN_TO) as api:
        await issuer.restart()
        await api.read_keys()

        assert await enter(api, token) == "ada"
    assert await issuer.key_ids() == before
    file = tmp_path / "issuer" / "keys.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("stack", [None, "/somewhere/else"])
async def test_it_does_not_run_outside_an_embedded_stack(tmp_path: Path, stack: str | None) -> None:
    port, side_port = free_ports(2)
    environment = variables(tmp_path, port, side_port)
    environment[STACK_VARIABLE] = stack or ""
    async with running(
        "deploy.local.issuer", environment=environment, side_port=side_port, ready=False
    ) as process:
        assert await process.ends() == REFUSED_TO_START
        assert "embedded stack" in process.output()
    assert not (tmp_path / "issuer").exists()


async def test_a_browser_sent_by_another_site_is_refused(issuer: Issuer) -> None:
    async with aiohttp.ClientSession() as session:
        body = {"subject": "ada", "kind": "staff"}
        named = {"Host": "attacker.example"}
        async with session.post(f"{issuer.url}/tokens", json=body, headers=named) as answer:
            assert answer.status == 403
        async with session.post(f"{issuer.url}/tokens", data=b'{"subject": "ada"}') as answer:
            assert answer.status == 403


async def test_a_request_for_too_much_is_refused(issuer: Issuer) -> None:
    async with aiohttp.ClientSession() as session:
        for change in ({"kind": "system"}, {"lifetime_s": 10**9}, {"subject": ""}, {"extra": 1}):
            body = {"subject": "ada", "kind": "staff", **change}
            async with session.post(f"{issuer.url}/tokens", json=body) as answer:
                assert answer.status == 400, change
