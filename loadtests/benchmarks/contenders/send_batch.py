"""The limit of the relay: a bare loop over records that are in memory already."""

from typing import ClassVar

from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.contenders.draining import drained_rate, fresh_topic
from loadtests.benchmarks.installation import pid_of
from loadtests.benchmarks.measurement import Measurement
from loadtests.benchmarks.programs import Job, python, running
from loadtests.benchmarks.site import Site

_MODULE = "loadtests.benchmarks.peers.send_batch"


class SendBatch(Contender):
    """Reads nothing, decides nothing."""

    name: ClassVar[str] = "send_batch"
    unit: ClassVar[str] = "events"
    what: ClassVar[str] = "a bare aiokafka send_batch loop, records and headers made beforehand"
    needs_kafka: ClassVar[bool] = True

    async def prepare(self, site: Site) -> None:
        del site
        self.settings = {
            "acks": "all, idempotent producer",
            "batches": "350 records, one in flight a partition, 512 KiB at most",
            "event loop": "uvloop",
        }

    async def measure(self, site: Site, number: int) -> Measurement:
        del number
        rows = site.scale.backlog_rows
        async with fresh_topic(site) as published:
            await published.mark.rebase()
            command = python(_MODULE, site.kafka.bootstrap, published.topic, str(rows))
            job = Job("send-batch", command, site.environment, site.layout.log("send-batch"))
            async with running(job):
                rate, facts = await drained_rate(
                    published, rows, None, {"producer": pid_of(job)}, site
                )
        return Measurement(figures={"rate": rate}, facts=facts)
