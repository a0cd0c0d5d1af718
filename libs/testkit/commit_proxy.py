"""A proxy before PostgreSQL that loses a COMMIT, or only the answer to it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_LOOPBACK: Final = "127.0.0.1"
_CHUNK_BYTES: Final = 65_536
_COMMIT: Final = b"Q\x00\x00\x00\x0bCOMMIT\x00"  # A simple query of the wire protocol.


class CommitProxy:
    """Forwards everything but the next COMMITs it is told to lose; a loss ends the connection."""

    def __init__(self, server_url: str) -> None:
        self._target = urlsplit(server_url)
        self._commits_to_lose = 0
        self._answers_to_lose = 0
        self._server: asyncio.Server | None = None

    def lose_commits(self, count: int) -> None:
        """Keep the next COMMITs from the server: nothing was done, and nobody can tell."""
        self._commits_to_lose = count

    def lose_answers(self, count: int) -> None:
        """Let the server commit and keep its answer: it was done, and nobody can tell."""
        self._answers_to_lose = count

    def url_for(self, url: str) -> str:
        """Return `url` with its server replaced by this proxy."""
        if self._server is None:
            raise RuntimeError("the proxy has not started")
        port = self._server.sockets[0].getsockname()[1]
        parts = urlsplit(url)
        login = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{login}@{_LOOPBACK}:{port}"))

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, _LOOPBACK)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._target.hostname or _LOOPBACK, self._target.port or 5432
        server_reader, server_writer = await asyncio.open_connection(host, port)
        backward = asyncio.create_task(self._pump(server_reader, writer))
        try:
            await self._forward(reader, server_writer, backward)
            await self._after_loss(server_reader, backward)
        except OSError:
            pass
        finally:
            backward.cancel()
            writer.close()
            server_writer.close()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
        backward: asyncio.Task[None],
    ) -> None:
        """Forward until the client leaves or a COMMIT is to be lost."""
        while chunk := await reader.read(_CHUNK_BYTES):
            if _COMMIT in chunk and self._commits_to_lose:
                self._commits_to_lose -= 1
                return
            loses_answer = _COMMIT in chunk and self._answers_to_lose > 0
            if loses_answer:
                self._answers_to_lose -= 1
                backward.cancel()
                await asyncio.wait([backward])
            server_writer.write(chunk)
            await server_writer.drain()
            if loses_answer:
                return

    async def _after_loss(
        self, server_reader: asyncio.StreamReader, backward: asyncio.Task[None]
    ) -> None:
        """Read the answer that the client never gets: only then is the commit certain."""
        if backward.cancelled():
            await server_reader.read(_CHUNK_BYTES)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(_CHUNK_BYTES):
            sink.write(chunk)
            await sink.drain()
        sink.close()


@asynccontextmanager
async def losing_commits(server_url: str) -> AsyncGenerator[CommitProxy]:
    """Run the proxy in front of the server of `server_url`."""
    proxy = CommitProxy(server_url)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
