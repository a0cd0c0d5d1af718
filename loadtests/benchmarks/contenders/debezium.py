"""Debezium's outbox router: the established way from an outbox to Kafka."""

import asyncio
from typing import ClassVar

from deploy.local.kafka_jars import locked_jars
from libs.foundation.database.connections import Connection, open_connection
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from loadtests.benchmarks import drain
from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.contenders.draining import (
    FLOW_RATE,
    LARGE_LEFT_OUT,
    Published,
    drained_rate,
    fresh_topic,
    with_latency,
)
from loadtests.benchmarks.debezium.connect import JVM_OPTIONS, LOCK, SETTINGS, Connect
from loadtests.benchmarks.events import PARTITIONS
from loadtests.benchmarks.installation import pid_of
from loadtests.benchmarks.measurement import Measurement, NotMeasured
from loadtests.benchmarks.programs import running
from loadtests.benchmarks.site import Site, locked_version, server_settings
from loadtests.benchmarks.sql import plain_outbox
from loadtests.benchmarks.sql.outbox import PAYLOAD_BYTES, ROWS_A_TRANSACTION

_WARM_LIMIT_S = 120
_STATE_S = 60.0


class Debezium(Contender):
    """A new slot and a new JVM each turn, so that it reads nobody else's log, warmed before."""

    name: ClassVar[str] = "debezium"
    unit: ClassVar[str] = "events"
    what: ClassVar[str] = "Debezium's outbox router in Kafka Connect standalone, tuned and warm"
    needs_kafka: ClassVar[bool] = True
    turn_s: ClassVar[float] = 420
    _database: Database
    _connect: Connect

    async def prepare(self, site: Site) -> None:
        try:
            jars = await asyncio.to_thread(locked_jars, LOCK, "Debezium", site.say)
        except Exception as error:
            raise NotMeasured(f"Debezium's jars are not to be had: {error}") from error
        self._connect = Connect(
            site.layout.services / "debezium", jars, site.environment, site.layout.log("debezium")
        )
        self._database = site.make_database()
        async with open_connection(server_settings(self._database.url), "benchmark") as connection:
            await plain_outbox.make(connection)
        self.settings = {
            "versions": (
                f"Debezium {locked_version(LOCK, 'debezium-connector-postgres')},"
                f" Kafka Connect {locked_version(LOCK, 'connect-runtime')}"
            ),
            "jvm": " ".join(JVM_OPTIONS),
            "warm-up": f"{site.scale.warm_rows:,} events in the same JVM",
            "producer": "acks=all, idempotent, linger 5 ms, 512 KiB batches",
            **SETTINGS,
        }

    async def measure(self, site: Site, number: int) -> Measurement:
        url = self._database.url
        async with (
            fresh_topic(site) as published,
            open_connection(server_settings(url), "benchmark") as connection,
        ):
            await plain_outbox.empty(connection)
            self._connect.configure(
                database_url=url, bootstrap=site.kafka.bootstrap, topic=published.topic
            )
            try:
                async with running(self._connect):
                    return await self._measure(site, number, published, connection)
            finally:
                await plain_outbox.forget_reader(connection)

    async def _measure(
        self, site: Site, number: int, published: Published, connection: Connection
    ) -> Measurement:
        await self._warm_up(site, published, connection)
        rate, facts = await self._drain(site, published, connection, site.scale.backlog_rows)
        site.found.setdefault(FLOW_RATE, rate / 2)
        measured = Measurement(figures={"rate": rate}, facts=facts)
        measured = await with_latency(
            site,
            measured,
            table="plain_outbox",
            url=self._database.url,
            topic=published.topic,
        )
        if not site.scale.large_backlog_rows:
            measured.refused["large_rate"] = LARGE_LEFT_OUT
        elif number == 0:
            rows = site.scale.large_backlog_rows
            measured.figures["large_rate"], _ = await self._drain(site, published, connection, rows)
        return measured

    async def _warm_up(self, site: Site, published: Published, connection: Connection) -> None:
        """Publish as many events as the compiler needs, live, and see the slot at work."""
        await self._until_reading(connection)
        await published.mark.rebase()
        rows = site.scale.warm_rows
        await _fill(connection, published.topic, rows)
        await drain.watch(published.mark.count, rows, limit_s=_WARM_LIMIT_S, worker=self._connect)

    async def _drain(
        self, site: Site, published: Published, connection: Connection, rows: int
    ) -> tuple[float, dict[str, float]]:
        """Write a backlog while the connector is stopped, then let it catch up."""
        await self._connect.ask("stop")
        await eventually(
            lambda: plain_outbox.slot_is_active(connection),
            lambda active: not active,
            within_s=_STATE_S,
        )
        await _fill(connection, published.topic, rows)
        await published.mark.rebase()
        await self._connect.ask("resume")
        pids = {"debezium": pid_of(self._connect)}
        return await drained_rate(published, rows, self._connect, pids, site)

    async def _until_reading(self, connection: Connection) -> None:
        await eventually(lambda: plain_outbox.slot_is_active(connection), within_s=_STATE_S)


async def _fill(connection: Connection, topic: str, rows: int) -> None:
    for part in range(rows // ROWS_A_TRANSACTION):
        await plain_outbox.append(
            connection,
            topic,
            key=f"backlog-{part}",
            partitions=PARTITIONS,
            rows=ROWS_A_TRANSACTION,
            payload_bytes=PAYLOAD_BYTES,
        )
