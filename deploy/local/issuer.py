"""The development issuer: signs tokens for whoever asks on this machine; never deployed.

It is part of the embedded stack: without the stack's mark in its environment it does not start,
and it listens on loopback only.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from deploy.local.layout import STACK_VARIABLE
from deploy.local.ports import LOOPBACK
from deploy.local.signing import SCOPES, WEEK_S, SigningKeys
from libs.foundation.observability.logs import get_logger
from libs.foundation.runtime import run, service
from libs.foundation.runtime.process import CannotStart
from libs.foundation.settings import ProcessSettings, load_settings
from libs.foundation.settings.shared import Port

S = TypeVar("S", bound=Struct)
_BODY_BYTES_MAX: Final = 8_192
_SHUTDOWN_MAX_S: Final = 1.0
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_encode: Final = msgspec.json.Encoder().encode
_log: Final = get_logger(__name__)


class IssuerSettings(Struct, frozen=True, kw_only=True):
    """Where the issuer listens and keeps its keys."""

    process: ProcessSettings
    port: Port
    """Port on loopback."""
    keys_path: str
    """File with the private keys, below the stack's folder; made when it does not exist."""


class TokenRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who the token is for, and what it may do."""

    subject: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,64}\Z")]
    kind: Literal["customer", "staff", "machine"]
    scopes: Annotated[tuple[str, ...], Meta(max_length=50)] = SCOPES
    lifetime_s: Annotated[int, Meta(ge=1, le=WEEK_S)] = 3_600


class Token(Struct, frozen=True, kw_only=True):
    """The answer of a token endpoint (RFC 6749 section 5.1)."""

    access_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - a scheme, not a secret.


class Issuer:
    """The handlers."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys

    async def key_set(self, _: web.Request) -> web.Response:
        return web.Response(body=self._keys.public(), content_type="application/jwk-set+json")

    async def mint(self, request: web.Request) -> web.Response:
        asked = _decode(await request.read(), TokenRequest)
        token = self._keys.token(asked.subject, asked.kind, asked.scopes, asked.lifetime_s)
        return _json(HTTPStatus.CREATED, Token(access_token=token, expires_in=asked.lifetime_s))

    async def rotate(self, _: web.Request) -> web.Response:
        return _json(HTTPStatus.CREATED, {"kid": self._keys.rotate()})

    async def withdraw(self, request: web.Request) -> web.Response:
        try:
            self._keys.withdraw(request.match_info["kid"])
        except KeyError:
            raise web.HTTPConflict(text="it signs, or is not one of the keys") from None
        return web.Response(status=HTTPStatus.NO_CONTENT)


async def main(environ: Mapping[str, str]) -> None:
    """Serve until the process is asked to stop."""
    settings = load_settings(IssuerSettings, environ, prefix="ISSUER_")
    async with service("issuer", settings.process, configuration=settings) as process:
        path = Path(settings.keys_path).resolve()
        refuse_outside_a_stack(path, environ.get(STACK_VARIABLE))
        async with _serving(SigningKeys.in_file(path), settings.port) as url:
            _log.info("issuer_listening", url=url)
            await process.run_until_stopped(_until(process.stopping))


def refuse_outside_a_stack(keys_path: Path, stack: str | None) -> None:
    """Raise CannotStart unless the keys belong to the embedded stack that started this process."""
    if not stack or Path(stack).resolve() not in keys_path.parents:
        raise CannotStart(
            "the development issuer gives a token to anybody: it only runs as a part of the"
            " embedded stack. Remedy: `make up`; elsewhere pin your identity provider in"
            " API_AUTHENTICATION_ISSUERS"
        )


@web.middleware
async def _only_by_name(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Refuse what a browser was tricked into sending here under another host's name."""
    if request.url.host != LOOPBACK or (
        request.can_read_body and request.content_type != "application/json"
    ):
        raise web.HTTPForbidden(text=f"ask {LOOPBACK}, in JSON")
    return await handler(request)


@asynccontextmanager
async def _serving(keys: SigningKeys, port: int) -> AsyncGenerator[str]:
    issuer = Issuer(keys)
    made = web.Application(middlewares=[_only_by_name], client_max_size=_BODY_BYTES_MAX)
    made.add_routes(
        [
            web.get("/jwks.json", issuer.key_set),
            web.post("/tokens", issuer.mint),
            web.post("/keys", issuer.rotate),
            web.delete("/keys/{kid}", issuer.withdraw),
        ]
    )
    runner = web.AppRunner(
        made, access_log=None, handle_signals=False, shutdown_timeout=_SHUTDOWN_MAX_S
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _until(stopping: asyncio.Event) -> None:
    await stopping.wait()


def _decode(body: bytes, type_: type[S]) -> S:
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.DecodeError as error:
        raise web.HTTPBadRequest(text=str(error)) from None


def _json(status: HTTPStatus, body: object) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(
        status=status, body=_encode(body), content_type="application/json", headers=headers
    )


if __name__ == "__main__":
    run(main(os.environ))
