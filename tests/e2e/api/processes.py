"""Clients that keep their connections to an API process busy, and what that process logs."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from random import uniform
from typing import Any, Final

import msgspec

from libs.testkit.faults import ServiceProcess
from tests.e2e.api.conftest import order

LOOPBACK: Final = "127.0.0.1"
_THINK_MAX_S: Final = 0.4


def lines_of(process: ServiceProcess, *levels: str) -> list[dict[str, Any]]:
    """Return the log lines of a process that have one of `levels`."""
    lines = [json.loads(line) for line in process.output().splitlines() if line.startswith("{")]
    return [line for line in lines if line["level"] in levels]


class Client:
    """Places one order after the other over one connection, as long as the server keeps it.

    It never repeats a request: whatever goes wrong is counted. One that thinks leaves its
    connection idle for a moment between two orders.
    """

    def __init__(self, port: int, token: str, *, think_max_s: float = 0.0) -> None:
        self._port = port
        self._token = token
        self._think_max_s = think_max_s
        self.answers: Counter[int] = Counter()
        self.failures: Counter[str] = Counter()
        self.goodbyes = 0

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
            except OSError as error:
                self.failures[f"connect: {type(error).__name__}"] += 1
                await asyncio.sleep(0)
                continue
            try:
                while not stopping.is_set() and await self._place(reader, writer):
                    await self._think(stopping)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.failures[f"request: {type(error).__name__}"] += 1
            finally:
                writer.close()

    async def _think(self, stopping: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(uniform(0, self._think_max_s)):
                await stopping.wait()

    async def _place(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send one order, read the answer, and say whether the connection may be used again."""
        writer.write(_request(self._token, uuid.uuid4().hex))
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = int(head.split()[1])
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        await reader.readexactly(length)
        self.answers[status] += 1
        says_goodbye = "\r\nconnection: close" in head
        self.goodbyes += says_goodbye
        return not says_goodbye


class Load:
    """Several clients at work."""

    def __init__(self, clients: list[Client]) -> None:
        self._clients = clients

    @property
    def answers(self) -> Counter[int]:
        return sum((client.answers for client in self._clients), Counter[int]())

    @property
    def failures(self) -> Counter[str]:
        return sum((client.failures for client in self._clients), Counter[str]())

    @property
    def goodbyes(self) -> int:
        return sum(client.goodbyes for client in self._clients)


@asynccontextmanager
async def loaded(port: int, token: str, *, busy: int, thinking: int) -> AsyncGenerator[Load]:
    """Let clients place orders within the block; what they sent last is answered at its end."""
    stopping = asyncio.Event()
    clients = [Client(port, token) for _ in range(busy)]
    clients += [Client(port, token, think_max_s=_THINK_MAX_S) for _ in range(thinking)]
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(client.run(stopping))
        yield Load(clients)
        stopping.set()


def _request(token: str, key: str) -> bytes:
    content = msgspec.json.encode(order())
    return (
        f"POST /v1/orders HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {token}\r\n"
        f'Idempotency-Key: "{key}"\r\nContent-Type: application/json\r\n'
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode() + content
