"""Topics that were just made and that the asked broker has not heard of yet."""

from types import SimpleNamespace
from typing import Any

from aiokafka.errors import NoError, UnknownTopicOrPartitionError
from msgspec import Struct

from libs.foundation.messaging import topics


class Wanted(Struct, frozen=True):
    name: str
    partitions: int = 2
    retention_days: int = 7


class SlowBrokers:
    """Makes topics, and describes each only when it is asked the third time after that."""

    def __init__(self) -> None:
        self.asked_since_made: dict[str, int] = {}

    async def describe_cluster(self) -> dict[str, Any]:
        return {"brokers": [{}]}

    async def create_topics(self, wanted: list[Any]) -> SimpleNamespace:
        self.asked_since_made |= {topic.name: 0 for topic in wanted}
        return SimpleNamespace(topic_errors=[(topic.name, 0, None) for topic in wanted])

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [self._described(name) for name in names]

    def _described(self, name: str) -> dict[str, Any]:
        if name in self.asked_since_made:
            self.asked_since_made[name] += 1
        known = self.asked_since_made.get(name, 0) >= 3
        error = NoError if known else UnknownTopicOrPartitionError
        return {"topic": name, "error_code": error.errno, "partitions": [{}, {}] if known else []}


async def test_applying_ends_when_the_brokers_know_what_was_made() -> None:
    brokers: Any = SlowBrokers()

    made = await topics.apply(brokers, [Wanted("a"), Wanted("b")])

    assert made == ["a", "b"]
    assert await topics.partition_counts(brokers, ["a", "b"]) == {"a": 2, "b": 2}
    assert brokers.asked_since_made == {"a": 4, "b": 4}
