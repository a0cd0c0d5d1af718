"""Serves an ASGI application until the process drains; requests in flight are finished."""

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from litestar.types import ASGIApp

from libs.foundation.observability.logs import get_logger

_KEEP_ALIVE_S: Final = 30
_BACKLOG: Final = 2_048  # A burst waits here, and the first layer decides about it.
_log: Final = get_logger(__name__)


class _Server(uvicorn.Server):
    """The process owns its signals, not the server."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(application: ASGIApp, listener: socket.socket, stopping: asyncio.Event) -> None:
    """Serve what comes to `listener` until `stopping` is set, then finish what was begun."""
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
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    asking = asyncio.create_task(_until(stopping))
    try:
        await asyncio.wait((serving, asking), return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        asking.cancel()


async def _until(stopping: asyncio.Event) -> None:
    await stopping.wait()


@contextmanager
def listening(host: str, port: int) -> Generator[socket.socket]:
    """Listen on `port`, a free one if it is 0; to be entered before the process says it is ready.

    From here on the system accepts connections, and they wait until they are served.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)  # noqa: FBT003 - the standard library's signature.
        _log.info("http_listening", port=listener.getsockname()[1])
        yield listener
