"""Makes Kafka topics that belong to one test, and deletes them."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

_READY_S: Final = 15.0
_POLL_S: Final = 0.02


class TopicMaker:
    """Makes topics under a prefix of its own, so that tests share one broker."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._made: list[str] = []

    async def __call__(self, names: Sequence[str], partitions: int = 12) -> list[str]:
        """Make one topic for each of `names`, and return their real names in the same order."""
        topics = [f"{self._prefix}{name}" for name in names]
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            response = await admin.create_topics(
                [
                    NewTopic(topic, num_partitions=partitions, replication_factor=1)
                    for topic in topics
                ]
            )
            _raise_errors(response)
            self._made += topics
            await _until_led(admin, topics, partitions)
        finally:
            await admin.close()
        return topics

    async def delete(self) -> None:
        if not self._made:
            return
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            await admin.delete_topics(self._made)
        finally:
            await admin.close()


# aiokafka makes the fields of its answers at run time, so no type names them.
def _raise_errors(response: Any) -> None:  # noqa: ANN401
    for topic, code, *_ in response.topic_errors:
        error = for_code(code)
        if error.errno != 0:
            raise KafkaError(f"{topic} was not made: {error.__name__}")


async def _until_led(admin: AIOKafkaAdminClient, topics: list[str], partitions: int) -> None:
    """Wait for the leaders: the answer to the creation comes before the broker knows them."""
    async with asyncio.timeout(_READY_S):
        while True:
            described: list[dict[str, Any]] = await admin.describe_topics(topics)
            led = [
                sum(partition["leader"] >= 0 for partition in topic["partitions"])
                for topic in described
            ]
            if led == [partitions] * len(topics):
                return
            await asyncio.sleep(_POLL_S)
