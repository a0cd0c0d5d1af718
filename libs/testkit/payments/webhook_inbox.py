"""A server that takes webhooks as the API would, and hands them to a test as they came."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import Struct

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="


class Received(Struct, frozen=True, kw_only=True):
    """One webhook, with header names in lower case."""

    headers: Mapping[str, str]
    body: bytes


class WebhookInbox:
    """`refusals` are the statuses that the next webhooks are turned away with."""

    def __init__(self) -> None:
        self.url = ""
        self.refusals: list[int] = []
        self._received: asyncio.Queue[Received] = asyncio.Queue()

    async def next(self) -> Received:
        """Wait for the next webhook that is taken."""
        async with asyncio.timeout(20):
            return await self._received.get()

    async def take(self, request: web.Request) -> web.Response:
        if self.refusals:
            return web.Response(status=self.refusals.pop(0))
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._received.put_nowait(Received(headers=headers, body=await request.read()))
        return web.Response()


@asynccontextmanager
async def webhook_inbox() -> AsyncGenerator[WebhookInbox]:
    """Listen on a free port until the end of the block."""
    inbox = WebhookInbox()
    application = web.Application()
    application.router.add_post("/", inbox.take)
    server = TestServer(application)
    await server.start_server()
    inbox.url = str(server.make_url("/"))
    try:
        yield inbox
    finally:
        await server.close()
