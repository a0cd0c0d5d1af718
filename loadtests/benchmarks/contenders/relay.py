"""Orderly's relay as a process: out of a backlog, then under a steady flow."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import ClassVar

from libs.foundation.database.connections import open_connection
from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.contenders.draining import (
    LARGE_LEFT_OUT,
    Published,
    drained_rate,
    fresh_topic,
    with_latency,
)
from loadtests.benchmarks.events import PARTITIONS
from loadtests.benchmarks.installation import Installation, pid_of, product_topics
from loadtests.benchmarks.measurement import Measurement
from loadtests.benchmarks.site import Site, server_settings
from loadtests.benchmarks.sql import outbox

_PROCESS = "outbox-relay"


class Relay(Contender):
    """Every default; one of Orderly's processes as `make up` starts it."""

    name: ClassVar[str] = "relay"
    unit: ClassVar[str] = "events"
    what: ClassVar[str] = "Orderly's outbox relay, every default"
    needs_kafka: ClassVar[bool] = True
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {"p99_ms": ("debezium",)}
    turn_s: ClassVar[float] = 300
    _installation: Installation

    async def prepare(self, site: Site) -> None:
        self._installation = Installation(site, self.name, site.make_database())
        self.settings = {
            "acks": "all, idempotent producer",
            "compression": "none",
            "backlog": f"{site.scale.backlog_rows:,} rows of {outbox.PAYLOAD_BYTES} bytes",
        }

    async def measure(self, site: Site, number: int) -> Measurement:
        rows = site.scale.backlog_rows
        async with product_topics(site), fresh_topic(site) as published:
            await self._fill(published, rows)
            async with self._installation.spawned(_PROCESS) as services:
                relay = services[_PROCESS]
                pids = {"relay": pid_of(relay)}
                rate, facts = await drained_rate(published, rows, relay, pids, site)
                measured = Measurement(figures={"rate": rate}, facts=facts)
                await relay.until_ready()
                url = self._installation.database.url
                measured = await with_latency(
                    site, measured, table="outbox", url=url, topic=published.topic
                )
        if not site.scale.large_backlog_rows:
            measured.refused["large_rate"] = LARGE_LEFT_OUT
        elif number == 0:
            measured.figures["large_rate"] = await self._large_rate(site)
        return measured

    async def _large_rate(self, site: Site) -> float:
        rows = site.scale.large_backlog_rows
        async with product_topics(site), fresh_topic(site) as published:
            await self._fill(published, rows)
            async with self._installation.spawned(_PROCESS) as services:
                relay = services[_PROCESS]
                rate, _ = await drained_rate(published, rows, relay, {}, site)
        return rate

    async def _fill(self, published: Published, rows: int) -> None:
        url = self._installation.database.url
        async with open_connection(server_settings(url), "benchmark") as connection:
            await outbox.fill(connection, published.topic, partitions=PARTITIONS, rows=rows)
        await published.mark.rebase()


class PinnedRelay(Contender):
    """The same relay behind a long history, while a transaction is open from before to after."""

    name: ClassVar[str] = "relay_pinned"
    unit: ClassVar[str] = "events"
    what: ClassVar[str] = "the relay with a long history and a transaction held open throughout"
    needs_kafka: ClassVar[bool] = True
    turn_s: ClassVar[float] = 300
    _installation: Installation

    async def prepare(self, site: Site) -> None:
        rows = site.scale.history_rows
        self._installation = Installation(site, self.name, site.make_database())
        url = self._installation.database.url
        site.say(f"  {self.name}: copying a history of {rows:,} rows")
        async with open_connection(server_settings(url), "benchmark") as connection:
            await outbox.make_history(connection, rows)
        self.settings = {
            "history": f"{rows:,} published rows over 23 hours, by COPY",
            "open transaction": "REPEATABLE READ with an id, from before the backlog to its end",
        }

    async def measure(self, site: Site, number: int) -> Measurement:
        del number
        rows = site.scale.backlog_rows
        settings = server_settings(self._installation.database.url)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(product_topics(site))
            published = await stack.enter_async_context(fresh_topic(site))
            pinning = await stack.enter_async_context(open_connection(settings, "pinning"))
            await stack.enter_async_context(outbox.held_open(pinning))
            async with open_connection(settings, "benchmark") as connection:
                await outbox.fill(connection, published.topic, partitions=PARTITIONS, rows=rows)
            await published.mark.rebase()
            services = await stack.enter_async_context(self._installation.spawned(_PROCESS))
            relay = services[_PROCESS]
            pids = {"relay": pid_of(relay)}
            rate, facts = await drained_rate(published, rows, relay, pids, site)
        return Measurement(figures={"rate": rate}, facts=facts)
