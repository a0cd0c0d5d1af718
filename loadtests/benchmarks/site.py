"""The servers of one run: one PostgreSQL and one Kafka for every contender, with their settings."""

import os
import shutil
import tomllib
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

from deploy.local.kafka import KafkaServer
from deploy.local.kafka_jars import LOCK
from deploy.local.layout import STACK_VARIABLE, Layout, layout_in
from deploy.local.leftovers import alone, end_processes, remove_storage
from deploy.local.postgres import PostgresServer
from libs.foundation.database.connections import open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.testkit.databases import Database, DatabaseServer
from libs.testkit.topics import TopicMaker
from loadtests.benchmarks.cpu import CpuWatch
from loadtests.benchmarks.measurement import NotMeasured
from loadtests.benchmarks.scale import Scale
from loadtests.benchmarks.sql import server as statements

REPLICATION_FACTOR: Final = 1
# Durability is the same for everybody and as it is deployed; a peer needs the logical log.
_POSTGRES_SETTINGS: Final = {
    "wal_level": "logical",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "200",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "max_replication_slots": "4",
    "max_wal_senders": "4",
    "jit": "off",
}
# Both compiler tiers, as for the peers' JVM: the broker is on the way of everything that publishes.
_BROKER_JVM: Final = ("-Xms1g", "-Xmx1g", "-XX:+UseParallelGC")
# COPY of a history takes longer than any statement of the product.
_MAKING_S: Final = 900

Say = Callable[[str], None]


class Site:
    """Where contenders find servers, databases and topics; what one learns, another may read."""

    def __init__(self, layout: Layout, scale: Scale, say: Say) -> None:
        self.layout = layout
        self.scale = scale
        self.say = say
        self.environment = {**os.environ, STACK_VARIABLE: str(layout.folder)}
        self.found: dict[str, float] = {}
        """Figures that size a later turn, for example half of a peer's capacity."""
        settings = {**_POSTGRES_SETTINGS, "shared_buffers": scale.shared_buffers}
        self.postgres_settings = settings
        self.postgres = PostgresServer(
            layout.postgres, layout.log("postgres"), settings, self.environment
        )
        self._kafka: KafkaServer | None = None
        self._server: DatabaseServer | None = None

    @property
    def folder(self) -> Path:
        return self.layout.folder

    @property
    def kafka(self) -> KafkaServer:
        if self._kafka is None:
            raise NotMeasured("no Kafka runs")
        return self._kafka

    @property
    def postgres_version(self) -> str:
        return "" if self._server is None else self._server.version

    @property
    def kafka_version(self) -> str:
        return "none runs" if self._kafka is None else locked_version(LOCK, "kafka_2.13")

    async def start(self, *, needs_kafka: bool) -> None:
        """Start PostgreSQL, and Kafka if a contender talks to it and there is a JVM."""
        await self.postgres.start()
        self._server = DatabaseServer(self.postgres.url, f"bench{uuid4().hex[:8]}")
        self._server.make_template()
        if needs_kafka:
            kafka = KafkaServer(
                self.layout.kafka,
                self.layout.log("kafka"),
                self.environment,
                self.say,
                _BROKER_JVM,
            )
            try:
                await kafka.start()
            except Exception as error:  # noqa: BLE001 - the rows without Kafka are still worth it.
                await kafka.stop()
                self.say(f"Kafka did not start: {error}")
            else:
                self._kafka = kafka

    async def stop(self) -> None:
        if self._kafka is not None:
            await self._kafka.stop()
        if self._server is not None:
            self._server.close()
        await self.postgres.stop()

    def make_database(self) -> Database:
        """Clone the migrated template."""
        if self._server is None:
            raise RuntimeError("the servers have not been started")
        return self._server.make_database()

    @asynccontextmanager
    async def topics(self, names: Sequence[str], *, partitions: int) -> AsyncGenerator[None]:
        """Make topics of exactly these names, and delete them at the end."""
        maker = TopicMaker(self.kafka.bootstrap, "")
        try:
            await maker(names, partitions)
            yield
        finally:
            await maker.delete()

    async def settle(self) -> None:
        """Write out what the last contender left dirty, at nobody's expense."""
        async with open_connection(server_settings(self.postgres.url), "benchmark") as connection:
            await statements.checkpoint(connection)

    def watch_cpu(self, **groups: int | Collection[int]) -> CpuWatch:
        """Watch the servers, and the contender's own processes by name."""
        everybody: dict[str, Collection[int]] = {
            name: (pids,) if isinstance(pids, int) else pids for name, pids in groups.items()
        }
        if self.postgres.child is not None:
            everybody["postgres"] = (self.postgres.child.pid,)
        if self._kafka is not None and self._kafka.child is not None:
            everybody["kafka"] = (self._kafka.child.pid,)
        return CpuWatch(everybody)


def locked_version(lock: Path, artifact: str) -> str:
    """Return the version of an artifact that a lock of jars names."""
    dependencies: list[dict[str, str]] = tomllib.loads(lock.read_text())["dependencies"]
    return next(each["version"] for each in dependencies if each["artifactId"] == artifact)


def server_settings(url: str) -> DatabaseSettings:
    """Return settings of a superuser's connection that may work for minutes."""
    return DatabaseSettings(
        url=url,
        statement_timeout_ms=_MAKING_S * 1_000,
        transaction_timeout_ms=_MAKING_S * 1_000,
        lock_timeout_ms=5_000,
    )


@asynccontextmanager
async def open_site(
    folder: Path, scale: Scale, say: Say, *, needs_kafka: bool
) -> AsyncGenerator[Site]:
    """Start fresh servers in `folder`; at the end, however it comes, nothing of them is left."""
    layout = layout_in(folder)
    with alone(layout):
        await end_processes(layout, None)  # What a killed run has left.
        remove_storage(layout)
        site = Site(layout, scale, say)
        try:
            await site.start(needs_kafka=needs_kafka)
            yield site
        finally:
            await site.stop()
            await end_processes(layout, None)
            remove_storage(layout)
            shutil.rmtree(layout.services, ignore_errors=True)
