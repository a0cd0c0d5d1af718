"""The side port: metrics, health and drain of one process, for machines and operators."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Final

import msgspec
from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from libs.foundation.runtime.life import DrainState
from libs.foundation.runtime.process import Process
from libs.foundation.settings import ProcessSettings
from libs.foundation.version import build

_KEEPALIVE_S: Final = 30.0
_SHUTDOWN_MAX_S: Final = 1.0
_NO_STORE: Final = {"Cache-Control": "no-store"}

_encode: Final = msgspec.json.Encoder().encode


@asynccontextmanager
async def open_side_port(process: Process, settings: ProcessSettings) -> AsyncGenerator[str]:
    """Serve the side port and yield its URL; it answers until the very end of the process."""
    runner = web.AppRunner(
        _application(process),
        access_log=None,
        handle_signals=False,
        keepalive_timeout=_KEEPALIVE_S,
        shutdown_timeout=_SHUTDOWN_MAX_S,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.side_host, settings.side_port)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _application(process: Process) -> web.Application:
    pages = _Pages(process)
    application = web.Application()
    application.add_routes(
        [
            web.get("/metrics", pages.metrics),
            web.get("/livez", pages.live),
            web.get("/readyz", pages.ready),
            web.get("/startupz", pages.startup),
            web.get("/drainz", pages.drain_state),
            web.post("/drainz", pages.drain),
        ]
    )
    return application


class _Pages:
    """Every answer comes from memory, so that a slow dependency never makes a probe slow."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(
            body=encode(REGISTRY), headers={"Content-Type": content_type, **_NO_STORE}
        )

    async def live(self, _request: web.Request) -> web.Response:
        """Answering is the proof; dependencies are readiness, or their outage would kill us."""
        about = build()
        return _json(
            HTTPStatus.OK,
            {"process": self._process.name, "version": about.version, "commit": about.commit},
        )

    async def ready(self, _request: web.Request) -> web.Response:
        reasons = self._process.reasons_not_ready()
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return _json(status, {"ready": not reasons, "reasons": reasons})

    async def startup(self, _request: web.Request) -> web.Response:
        started = self._process.is_started
        status = HTTPStatus.OK if started else HTTPStatus.SERVICE_UNAVAILABLE
        return _json(status, {"started": started})

    async def drain_state(self, _request: web.Request) -> web.Response:
        """Tell the phase, why the end was asked for, what it waits for and how long it may yet."""
        return _json(HTTPStatus.OK, self._process.drain_state())

    async def drain(self, request: web.Request) -> web.Response:
        """Begin to drain; only this machine may ask, and no web page in its browser."""
        if not _is_loopback(request.remote) or "Origin" in request.headers:
            return _json(HTTPStatus.FORBIDDEN, {"error": "only this machine may ask for a drain"})
        self._process.ask_to_drain("POST /drainz")
        return _json(HTTPStatus.ACCEPTED, self._process.drain_state())


def _is_loopback(remote: str | None) -> bool:
    if remote is None:
        return False
    address = ip_address(remote)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback


def _json(status: HTTPStatus, body: dict[str, object] | DrainState) -> web.Response:
    return web.Response(
        status=status, body=_encode(body), content_type="application/json", headers=_NO_STORE
    )
