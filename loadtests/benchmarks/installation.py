"""Runs processes of Orderly, as the local stack does, on a database of a benchmark."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import psycopg

from deploy.local import ports
from deploy.local.api_secrets import make_api_secrets, pin_issuer
from deploy.local.launch import Program
from deploy.local.processes import ORDERLY, Addresses, Process
from deploy.local.service import Service, environment_of
from deploy.local.sql import roles
from libs.contracts.topics import TOPICS
from libs.testkit.databases import Database
from loadtests.benchmarks.events import PARTITIONS
from loadtests.benchmarks.measurement import NotMeasured
from loadtests.benchmarks.site import Site

BESIDE_API: Final = ("issuer",)
"""Processes that the API needs in order to answer."""
EVERY_PROCESS: Final = tuple(process.name for process in ORDERLY.processes)


class Installation:
    """One database and what the processes on it are told; nothing runs by itself."""

    def __init__(self, site: Site, name: str, database: Database) -> None:
        self.database = database
        self._site = site
        self._folder = _made(site.layout.services / name)
        self._tokens = make_api_secrets(self._folder)
        self._addresses = self._find_addresses()
        pin_issuer(self._folder, self._addresses.issuer_url)

    @property
    def orders_url(self) -> str:
        return f"{self._addresses.api_url}/v1/orders"

    @property
    def port(self) -> int:
        """Port of the API."""
        return self._addresses.api_port

    @property
    def checkout_token(self) -> str:
        """Return a bearer token that may place orders for any customer."""
        return self._tokens.staff

    @asynccontextmanager
    async def running(
        self, *names: str, settings: Mapping[str, str] | None = None
    ) -> AsyncGenerator[dict[str, Service]]:
        """Run processes of the stack's table, from when all are ready until the block ends."""
        async with self.spawned(*names, settings=settings) as services:
            for service in services.values():
                await service.until_ready()
            yield services

    @asynccontextmanager
    async def spawned(
        self, *names: str, settings: Mapping[str, str] | None = None
    ) -> AsyncGenerator[dict[str, Service]]:
        """Start processes without waiting: what they do first may be what is measured."""
        overrides = settings or {}
        async with AsyncExitStack() as stack:
            services: dict[str, Service] = {}
            for process in (_process(name) for name in names):
                variables = self.environment(process, overrides)
                service = Service(process, self._log(process.name), variables)
                stack.push_async_callback(service.stop)
                await service.spawn()
                services[process.name] = service
            yield services

    def environment(self, process: Process, overrides: Mapping[str, str]) -> dict[str, str]:
        return environment_of(process, self._addresses, self._site.environment, overrides)

    def environment_named(self, name: str) -> dict[str, str]:
        """Return what the stack's process `name` would be started with."""
        return self.environment(_process(name), {})

    def _log(self, process: str) -> Path:
        return self._site.layout.log(f"{self._folder.name}-{process}")

    def _find_addresses(self) -> Addresses:
        api_port, simulator_port, issuer_port, admin_port = ports.free_ports(4)
        with psycopg.connect(self.database.url, autocommit=True) as connection:
            databases = {role: self.database.url_for(role) for role in roles.logins(connection)}
        try:
            kafka = self._site.kafka.bootstrap
        except NotMeasured:
            kafka = f"{ports.LOOPBACK}:1"  # Processes that need it are never started then.
        return Addresses(
            folder=str(self._folder),
            kafka=kafka,
            api_port=api_port,
            payment_simulator_port=simulator_port,
            issuer_port=issuer_port,
            admin_port=admin_port,
            databases=databases,
        )


def product_topics(site: Site) -> AbstractAsyncContextManager[None]:
    """Make the topics of the contracts anew, empty, for one turn: processes ask for them."""
    return site.topics([topic.name for topic in TOPICS], partitions=PARTITIONS)


def pid_of(program: Program) -> int:
    """Return the process id of a program that runs."""
    if program.child is None:
        raise RuntimeError(f"{program.name} does not run")
    return program.child.pid


def _process(name: str) -> Process:
    return next(process for process in ORDERLY.processes if process.name == name)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
