"""Outbox relay: moves committed outbox rows to Kafka, in order per key, at least once."""

import os
from collections.abc import Mapping

from libs.contracts.topics import TOPICS
from libs.foundation.database.schema import schema_served
from libs.foundation.messaging.relay.producer import open_publisher
from libs.foundation.messaging.relay.relay import OutboxRelay
from libs.foundation.messaging.relay.row_requests import RowRequests
from libs.foundation.messaging.relay.settings import RelaySettings
from libs.foundation.messaging.relay.upkeep import Upkeep
from libs.foundation.runtime.heap import keep_freed_memory
from libs.foundation.runtime.run import run
from libs.foundation.runtime.service import service
from libs.foundation.settings import load_settings


async def main(environ: Mapping[str, str]) -> None:
    settings = load_settings(RelaySettings, environ, prefix="RELAY_")
    topics = {topic.name: topic.partitions for topic in TOPICS}
    stuck_s = settings.producer_stuck_ms / 1_000
    async with service("outbox-relay", settings.process, configuration=settings) as process:
        await schema_served(settings.database, process)
        async with open_publisher(settings.kafka, topics, stuck_s=stuck_s) as publisher:
            relay = OutboxRelay(settings, publisher)
            upkeep = Upkeep(settings)
            row_requests = RowRequests(settings, lambda: relay.is_leading)
            process.ready_when(relay.readiness)
            await process.run_until_stopped(
                interruptible=[
                    relay.run(process.stopping),
                    upkeep.run(process.stopping),
                    row_requests.run(process.stopping),
                ]
            )


if __name__ == "__main__":
    keep_freed_memory()
    run(main(os.environ))
