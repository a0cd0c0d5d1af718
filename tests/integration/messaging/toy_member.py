"""Runs one member in a process of its own, for tests that kill it."""

import asyncio
import sys

from libs.foundation.database.connections import open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.messaging.consumer.consumer import Consumer
from libs.foundation.settings import KafkaSettings
from tests.integration.messaging.consumer_toys import ToyTopic, definition, prompt_settings

# Longer than the test: what the member has committed in the database, Kafka is never told.
_NEVER_MS = 3_600_000


async def main(bootstrap: str, url: str, topic: str) -> None:
    settings = prompt_settings(offset_commit_interval_ms=_NEVER_MS)
    async with open_pool(DatabaseSettings(url=url), "toy-member") as pool:
        toy = definition(topic, [ToyTopic(topic)])
        consumer = Consumer(toy, KafkaSettings(bootstrap_servers=bootstrap), pool, settings)
        await consumer.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
