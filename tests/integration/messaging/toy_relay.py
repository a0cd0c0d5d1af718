"""Runs one relay in a process of its own, for tests that kill it."""

import asyncio
import sys

from libs.testkit.databases import Database
from tests.integration.messaging.consumer_toys import ToyTopic
from tests.integration.messaging.replay_toys import publishing


async def main(url: str, bootstrap: str, topic: str, rows_max: str) -> None:
    changes = {"replay_rows_max": int(rows_max)}
    async with publishing(Database("", url), bootstrap, ToyTopic(topic), **changes):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
