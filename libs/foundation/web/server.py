"""Serves an ASGI application until the process drains; requests in flight are finished."""

import asyncio
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from select import select
from time import monotonic
from typing import Final, Protocol

import uvicorn
from litestar.types import ASGIApp

from libs.foundation.observability.logs import get_logger

_KEEP_ALIVE_S: Final = 30
_BACKLOG: Final = 2_048  # A burst waits here, and the first layer decides about it.
_ACCEPT_MAX_S: Final = 1.0
_LOOK_S: Final = 0.005
_log: Final = get_logger(__name__)


class Closing(Protocol):
    """When the server ends: `draining` is set first, and `stopping` after the balancer's time."""

    @property
    def draining(self) -> asyncio.Event: ...
    @property
    def stopping(self) -> asyncio.Event: ...


class _Server(uvicorn.Server):
    """The process owns its signals, not the server, and the end has an order of its own.

    From the drain on every answer says `Connection: close`, also those under way. Then nobody new
    is queued and whoever is queued is accepted, because closing a listener resets its queue. Then
    open connections have a moment to send one more request, because one that is sent while its
    connection is closed is lost. Then idle ones are closed, and requests in flight are finished.
    """

    def __init__(
        self, config: uvicorn.Config, listener: socket.socket, closing: Closing, grace_s: float
    ) -> None:
        super().__init__(config)
        self._listener = listener
        self._closing = closing
        self._grace_s = grace_s

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._closing.draining.wait()
        # Every connection shares this list.
        self.server_state.default_headers.append((b"connection", b"close"))
        _log.info("http_keep_alive_ended", connections=len(self.server_state.connections))
        await self._closing.stopping.wait()
        await self._stop_listening()
        await _wait_while(lambda: bool(self.server_state.connections), self._grace_s)

    async def _stop_listening(self) -> None:
        self._listener.listen(0)
        await _wait_while(lambda: _is_readable(self._listener), _ACCEPT_MAX_S)
        for server in self.servers:
            server.close()
        _log.info("http_listener_closed", connections=len(self.server_state.connections))


async def serve(
    application: ASGIApp, listener: socket.socket, closing: Closing, *, keep_alive_grace_ms: int
) -> None:
    """Serve what comes to `listener` until told to stop, then finish what was begun."""
    config = uvicorn.Config(
        application,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
    )
    await _Server(config, listener, closing, keep_alive_grace_ms / 1_000).serve([listener])


async def _wait_while(holds: Callable[[], bool], limit_s: float) -> None:
    until_s = monotonic() + limit_s
    # Neither the system's queue nor the server tells when it is empty.
    while holds() and monotonic() < until_s:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_S)


def _is_readable(listener: socket.socket) -> bool:
    readable, _, _ = select([listener], [], [], 0)
    return bool(readable)


@contextmanager
def listening(host: str, port: int, *, shares_port: bool = False) -> Generator[socket.socket]:
    """Listen on `port`, a free one if it is 0; to be entered before the process says it is ready.

    From here on the system accepts connections, and they wait until they are served. Processes
    that all share a port divide its connections, so that one can take over from another.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)  # noqa: FBT003 - the standard library's signature.
        _log.info("http_listening", port=listener.getsockname()[1])
        yield listener
