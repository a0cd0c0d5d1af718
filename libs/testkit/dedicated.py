"""Starts a PostgreSQL cluster for one test alone, which may kill it or change its settings."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final
from uuid import uuid4

from deploy.local.account import remove_folder
from deploy.local.postgres import PostgresServer
from libs.testkit.databases import Database, DatabaseServer
from libs.testkit.test_run import current

# Durable, unlike the shared server: what a crash loses is what such tests are about.
_SETTINGS: Final = {"max_connections": "60", "shared_buffers": "64MB"}


class DedicatedServer:
    """A cluster of one test: `kill9`, then `restart`, keeps its port and its data."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self._server = server
        self._name = name

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def log(self) -> Path:
        return self._server.log

    async def kill9(self) -> None:
        await self._server.kill9()

    async def stop(self) -> None:
        await self._server.stop()

    async def restart(self) -> None:
        await self._server.start()

    def migrated_database(self) -> Database:
        """Make a migrated database with its roles; it goes with the cluster."""
        with closing(DatabaseServer(self.url, self._name)) as server:
            server.make_template()
            return server.make_database()


@asynccontextmanager
async def dedicated_postgres(
    settings: Mapping[str, str] | None = None,
) -> AsyncGenerator[DedicatedServer]:
    """Start a durable cluster with `settings` on top, and remove it at the end."""
    folder = current(os.environ).folder
    name = f"dedicated{uuid4().hex[:8]}"
    log = folder / "log" / f"{name}.log"
    server = PostgresServer(folder / name, log, {**_SETTINGS, **(settings or {})}, os.environ)
    try:
        await server.start()
        yield DedicatedServer(server, name)
    finally:
        await server.stop()
        remove_folder(folder / name)
