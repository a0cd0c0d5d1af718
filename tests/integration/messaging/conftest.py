"""The toy context of the consumer's tests: its tables, and a topic of four partitions."""

import pytest

from libs.testkit.databases import Database
from libs.testkit.topics import TopicMaker
from tests.integration.messaging.consumer_toys import Toys, ToyTopic


@pytest.fixture
def toys(database: Database, kafka_bootstrap: str) -> Toys:
    return Toys(database, kafka_bootstrap)


@pytest.fixture
async def topic(make_topics: TopicMaker) -> ToyTopic:
    return ToyTopic((await make_topics(["toys.events"], partitions=4))[0])
