"""The limit of the HTTP stack: the same server and framework, a handler that only decodes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import ClassVar

from deploy.local.ports import LOOPBACK, free_port
from loadtests.benchmarks.contenders.http_load import Door, HttpContender
from loadtests.benchmarks.installation import pid_of
from loadtests.benchmarks.programs import Peer, python, running
from loadtests.benchmarks.site import Site


class Hello(HttpContender):
    """Nothing is checked beyond the body, nothing is stored."""

    name: ClassVar[str] = "hello"
    unit: ClassVar[str] = "orders"
    processes_offered: ClassVar[tuple[int, ...]] = (1, 2)
    what: ClassVar[str] = "Litestar on uvicorn, uvloop and httptools; decodes the body, answers 201"

    async def furnish(self, site: Site) -> None:
        del site

    @asynccontextmanager
    async def serving(self, site: Site, processes: int) -> AsyncGenerator[Door]:
        port = free_port()
        command = python("loadtests.benchmarks.peers.hello", str(port), str(processes))
        peer = Peer("hello", command, site.environment, port, site.layout.log("hello"))
        async with running(peer):
            url = f"http://{LOOPBACK}:{port}/v1/orders"
            yield Door(url=url, token="unused", pids=(pid_of(peer),))  # noqa: S106 - not read.
