"""Makes the topics of the contracts and compares them with what the brokers have."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    NoError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from msgspec import Struct

from libs.foundation.settings import KafkaSettings

_DAY_MS: Final = 24 * 3_600 * 1_000
_REPLICAS_WANTED: Final = 3
_RETENTION: Final = "retention.ms"
_KNOWN_MAX_S: Final = 30.0
_LOOK_S: Final = 0.1


class TopicError(RuntimeError):
    """The brokers refused to make or to describe a topic."""


class WantedTopic(Protocol):
    """A topic as its contract states it."""

    @property
    def name(self) -> str: ...
    @property
    def partitions(self) -> int: ...
    @property
    def retention_days(self) -> int: ...


class Difference(Struct, frozen=True, kw_only=True):
    """What is wrong with one topic, and what to do about it."""

    topic: str
    problem: str
    remedy: str


class FoundTopic(Struct, frozen=True, kw_only=True):
    """A topic as the brokers have it."""

    name: str
    partitions: int
    retention_ms: int | None


@asynccontextmanager
async def open_admin(kafka: KafkaSettings) -> AsyncGenerator[AIOKafkaAdminClient]:
    """Open a client that may describe and make topics."""
    admin = AIOKafkaAdminClient(**kafka.client_arguments())
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def partition_counts(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    """Return the partition count of each of `names` that exists."""
    found: dict[str, int] = {}
    described: list[dict[str, Any]] = await admin.describe_topics(list(names))
    for topic in described:
        error = for_code(topic["error_code"])
        if error is UnknownTopicOrPartitionError:
            continue
        if error is not NoError:
            raise TopicError(f"topic {topic['topic']} cannot be described: {error.__name__}")
        found[topic["topic"]] = len(topic["partitions"])
    return found


async def apply(admin: AIOKafkaAdminClient, wanted: Sequence[WantedTopic]) -> list[str]:
    """Make the topics that are missing and return their names; nothing that exists is changed.

    Returns once the brokers know them.
    """
    existing = await partition_counts(admin, [topic.name for topic in wanted])
    missing = [topic for topic in wanted if topic.name not in existing]
    if not missing:
        return []
    replicas = min(_REPLICAS_WANTED, await _broker_count(admin))
    response: Any = await admin.create_topics([_new_topic(topic, replicas) for topic in missing])
    for name, code, message in response.topic_errors:
        # Another `apply` was faster: `check` tells whether it made the same.
        if for_code(code) not in (NoError, TopicAlreadyExistsError):
            raise TopicError(f"topic {name} was not made: {message or for_code(code).__name__}")
    names = [topic.name for topic in missing]
    await _until_known(admin, names)
    return names


async def _until_known(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Wait for the brokers: the controller answers before they have heard of what it made."""
    unknown = set(names)
    try:
        async with asyncio.timeout(_KNOWN_MAX_S):
            while True:
                unknown -= (await partition_counts(admin, names)).keys()
                if not unknown:
                    return
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        late = ", ".join(sorted(unknown))
        raise TopicError(f"after {_KNOWN_MAX_S:g} s the brokers do not know {late}") from None


async def check(admin: AIOKafkaAdminClient, wanted: Sequence[WantedTopic]) -> list[Difference]:
    """Return what differs from the contracts; nothing when all is well."""
    counts = await partition_counts(admin, [topic.name for topic in wanted])
    retentions = await _retentions(admin, list(counts))
    differences: list[Difference] = []
    for topic in wanted:
        found = None
        if topic.name in counts:
            found = FoundTopic(
                name=topic.name,
                partitions=counts[topic.name],
                retention_ms=retentions.get(topic.name),
            )
        differences += compare(topic, found)
    return differences


def compare(wanted: WantedTopic, found: FoundTopic | None) -> list[Difference]:
    """Return what differs between a contract and the topic the brokers have."""
    if found is None:
        return [_difference(wanted, "is missing", "orderly topics apply")]
    differences: list[Difference] = []
    if found.partitions != wanted.partitions:
        # Keys map onto partitions by this count: another one reorders every key.
        problem = f"has {found.partitions} partitions, its contract says {wanted.partitions}"
        remedy = "make a new topic and move to it; never alter a keyed topic's partition count"
        differences.append(_difference(wanted, problem, remedy))
    retention_ms = wanted.retention_days * _DAY_MS
    if found.retention_ms != retention_ms:
        problem = f"keeps records for {found.retention_ms} ms, its contract says {retention_ms}"
        remedy = f"kafka-configs --alter --add-config {_RETENTION}={retention_ms}"
        differences.append(_difference(wanted, problem, remedy))
    return differences


def _difference(wanted: WantedTopic, problem: str, remedy: str) -> Difference:
    return Difference(topic=wanted.name, problem=problem, remedy=remedy)


def _new_topic(topic: WantedTopic, replicas: int) -> NewTopic:
    return NewTopic(
        topic.name,
        num_partitions=topic.partitions,
        replication_factor=replicas,
        topic_configs={
            _RETENTION: str(topic.retention_days * _DAY_MS),
            "cleanup.policy": "delete",
            # With fewer copies acknowledged, the loss of one broker loses published messages.
            "min.insync.replicas": str(max(1, replicas - 1)),
        },
    )


async def _broker_count(admin: AIOKafkaAdminClient) -> int:
    cluster: dict[str, Any] = await admin.describe_cluster()
    return len(cluster["brokers"])


async def _retentions(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, int]:
    found = await configurations(admin, names, [_RETENTION])
    return {name: int(entries[_RETENTION]) for name, entries in found.items()}


async def configurations(
    admin: AIOKafkaAdminClient, names: Sequence[str], entries: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Return the wanted `entries` of each topic's configuration; every one of `names` exists."""
    if not names:
        return {}
    wanted = dict.fromkeys(entries, "")
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, wanted) for name in names]
    responses: list[Any] = await admin.describe_configs(resources)
    found: dict[str, dict[str, str]] = {}
    for response in responses:
        for code, message, _, name, values, *_ in response.resources:
            if for_code(code) is not NoError:
                raise TopicError(f"topic {name} cannot be described: {message}")
            found[name] = {entry: value for entry, value, *_ in values if entry in wanted}
    return found
