"""The relay that most teams write first: lock rows, send them, delete them."""

from typing import ClassVar

from libs.foundation.database.connections import open_connection
from libs.testkit.databases import Database
from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.contenders.draining import drained_rate, fresh_topic
from loadtests.benchmarks.events import PARTITIONS
from loadtests.benchmarks.installation import pid_of
from loadtests.benchmarks.measurement import Measurement
from loadtests.benchmarks.programs import Job, python, running
from loadtests.benchmarks.site import Site, server_settings
from loadtests.benchmarks.sql import plain_outbox
from loadtests.benchmarks.sql.outbox import PAYLOAD_BYTES, ROWS_A_TRANSACTION

_MODULE = "loadtests.benchmarks.peers.skip_locked_relay"


class SkipLocked(Contender):
    """A contrast: several of them may run, and none keeps the order of a key."""

    name: ClassVar[str] = "skip_locked"
    unit: ClassVar[str] = "events"
    what: ClassVar[str] = "two relays: SELECT FOR UPDATE SKIP LOCKED, send_batch, DELETE, COMMIT"
    needs_kafka: ClassVar[bool] = True
    turn_s: ClassVar[float] = 300
    _database: Database

    async def prepare(self, site: Site) -> None:
        self._database = site.make_database()
        async with open_connection(server_settings(self._database.url), "benchmark") as connection:
            await plain_outbox.make(connection)
        self.settings = {
            "rows a transaction": "1,000",
            "relays": "2, connections of one process on uvloop",
            "acks": "all, idempotent producer",
            "index": "the primary key only",
        }

    async def measure(self, site: Site, number: int) -> Measurement:
        del number
        rows = site.scale.backlog_rows
        async with fresh_topic(site) as published:
            url = self._database.url
            async with open_connection(server_settings(url), "benchmark") as connection:
                await plain_outbox.empty(connection)
                for part in range(rows // ROWS_A_TRANSACTION):
                    await plain_outbox.append(
                        connection,
                        published.topic,
                        key=f"backlog-{part}",
                        partitions=PARTITIONS,
                        rows=ROWS_A_TRANSACTION,
                        payload_bytes=PAYLOAD_BYTES,
                    )
            await published.mark.rebase()
            command = python(_MODULE, url, site.kafka.bootstrap, published.topic)
            job = Job("skip-locked", command, site.environment, site.layout.log("skip-locked"))
            async with running(job):
                rate, facts = await drained_rate(
                    published, rows, None, {"relay": pid_of(job)}, site
                )
        return Measurement(figures={"rate": rate}, facts=facts)
