"""What most teams would write: FastAPI and SQLAlchemy, one transaction a request."""

import hashlib
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import ClassVar, Final

from deploy.local.ports import LOOPBACK, free_port
from loadtests.benchmarks.contenders.api import open_shop, orders_in
from loadtests.benchmarks.contenders.http_load import Door, HttpContender
from loadtests.benchmarks.installation import Installation, pid_of
from loadtests.benchmarks.peers.uvicorn_command import uvicorn_command
from loadtests.benchmarks.programs import Peer, running
from loadtests.benchmarks.site import Site

APPLICATION: Final = "loadtests.benchmarks.peers.fastapi_shop:application"


class FastApi(HttpContender):
    """Its number of processes is chosen like its number of connections: the best wins."""

    name: ClassVar[str] = "fastapi"
    unit: ClassVar[str] = "orders"
    what: ClassVar[str] = "FastAPI, pydantic, SQLAlchemy on asyncpg; same tables, same checks"
    processes_offered: ClassVar[tuple[int, ...]] = (1, 2)
    _installation: Installation

    async def furnish(self, site: Site) -> None:
        self._installation = await open_shop(site, self.name)
        self.settings |= {
            "server": "uvicorn, uvloop, httptools, no access log",
            "pool": "20 connections a process, prepared statements cached by asyncpg",
        }

    async def written(self, site: Site) -> int:
        del site
        return await orders_in(self._installation)

    @asynccontextmanager
    async def serving(self, site: Site, processes: int) -> AsyncGenerator[Door]:
        port = free_port()
        token = secrets.token_urlsafe(24)
        environment = {
            **site.environment,
            "BENCH_DATABASE_URL": self._installation.database.url_for("orderly_api"),
            "BENCH_TOKEN_SHA256": hashlib.sha256(token.encode()).hexdigest(),
        }
        command = uvicorn_command(APPLICATION, port, processes)
        peer = Peer("fastapi", command, environment, port, site.layout.log("fastapi"))
        async with running(peer):
            yield Door(url=f"http://{LOOPBACK}:{port}/v1/orders", token=token, pids=(pid_of(peer),))
