"""A TCP proxy on loopback that can be cut or frozen, to put a server out of reach."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

_LOOPBACK: Final = "127.0.0.1"
_CHUNK_BYTES: Final = 65_536


class Proxy:
    """Forwards to one server until `cut` or `freeze`, and again from `restore` on."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_cut = False
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the proxy has not started")
        return self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Break every connection, and every new one at once."""
        self._is_cut = True
        for connection in self._connections:
            connection.cancel()

    def freeze(self) -> None:
        """Keep every connection open and pass nothing on, as a lost network path does."""
        self._flowing.clear()

    def restore(self) -> None:
        """Pass everything on again."""
        self._is_cut = False
        self._flowing.set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, _LOOPBACK)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            if not self._is_cut:
                await self._forward(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(self._host, self._port)
        try:
            directions = {
                asyncio.create_task(self._pump(reader, server_writer)),
                asyncio.create_task(self._pump(server_reader, writer)),
            }
            try:
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for direction in directions:
                    direction.cancel()
                await asyncio.gather(*directions, return_exceptions=True)
        finally:
            server_writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await source.read(_CHUNK_BYTES):
                await self._flowing.wait()
                sink.write(chunk)
                await sink.drain()


@asynccontextmanager
async def proxied(host: str, port: int) -> AsyncGenerator[Proxy]:
    """Run a proxy in front of `host:port`."""
    proxy = Proxy(host, port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
