"""What is wrong with the brokers: reachable, topics as agreed, copies enough."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from msgspec import Struct

from libs.foundation.doctor.findings import Finding, Verdict, broken, note, ok
from libs.foundation.messaging import topics
from libs.foundation.messaging.outbox import BODY_BYTES_MAX
from libs.foundation.messaging.topics import TopicError, WantedTopic, open_admin
from libs.foundation.settings import KafkaSettings

_ANSWER_S: Final = 15.0
# A record is larger than its body: key, headers, and what the batch adds.
_RECORD_BYTES_MIN: Final = BODY_BYTES_MAX + 65_536
_MAX_BYTES: Final = "max.message.bytes"
_IN_SYNC: Final = "min.insync.replicas"
_CLEANUP: Final = "cleanup.policy"
_DAY_S: Final = 86_400


class TopicState(Struct, frozen=True, kw_only=True):
    """A topic as the brokers have it; counts are of partitions."""

    name: str
    replicas_min: int
    leaderless: int
    out_of_sync: int
    configuration: Mapping[str, str]


async def broker_findings(
    kafka: KafkaSettings, wanted: Sequence[WantedTopic], inbox_kept_s: float | None
) -> list[Finding]:
    """Look at the brokers; one that does not answer is a finding, not an error."""
    try:
        async with asyncio.timeout(_ANSWER_S), open_admin(kafka) as admin:
            cluster: dict[str, Any] = await admin.describe_cluster()
            brokers = len(cluster["brokers"])
            return [
                ok("brokers", f"{brokers} answer"),
                *await _differences(admin, wanted),
                *[
                    finding
                    for state in await _states(admin, [topic.name for topic in wanted])
                    for finding in topic_of(state)
                ],
                *inbox_of(wanted, inbox_kept_s),
            ]
    except (KafkaError, OSError, TimeoutError, TopicError) as error:
        text = f"no answer from {kafka.bootstrap_servers}: {type(error).__name__}"
        return [broken("brokers", text, "start them, or correct OPERATOR_KAFKA_BOOTSTRAP_SERVERS")]


async def _differences(admin: AIOKafkaAdminClient, wanted: Sequence[WantedTopic]) -> list[Finding]:
    found = [
        broken("topics", f"{each.topic} {each.problem}", each.remedy)
        for each in await topics.check(admin, wanted)
    ]
    return found or [ok("topics", f"{len(wanted)} topics are as their contracts say")]


async def _states(admin: AIOKafkaAdminClient, names: Sequence[str]) -> list[TopicState]:
    existing = await topics.partition_counts(admin, names)
    if not existing:
        return []
    configured = await topics.configurations(
        admin, list(existing), [_MAX_BYTES, _IN_SYNC, _CLEANUP]
    )
    described: list[dict[str, Any]] = await admin.describe_topics(list(existing))
    return [
        TopicState(
            name=topic["topic"],
            replicas_min=min(len(one["replicas"]) for one in topic["partitions"]),
            leaderless=sum(one["leader"] < 0 for one in topic["partitions"]),
            out_of_sync=sum(len(one["isr"]) < len(one["replicas"]) for one in topic["partitions"]),
            configuration=configured[topic["topic"]],
        )
        for topic in described
    ]


def topic_of(state: TopicState) -> Iterator[Finding]:
    """Judge one topic, beyond what its contract says."""
    findings = [*_copies(state), *_configuration(state)]
    yield from findings
    if all(finding.verdict is Verdict.OK for finding in findings):
        yield ok("topics", f"{state.name}: {state.replicas_min} copies, all in sync")


def _copies(state: TopicState) -> Iterator[Finding]:
    in_sync = int(state.configuration[_IN_SYNC])
    alter = f"kafka-configs --alter --topic {state.name} --add-config {_IN_SYNC}"
    if state.leaderless:
        text = f"{state.name}: {state.leaderless} partitions have no leader"
        yield broken("topics", text, "start the brokers that are down")
    if state.out_of_sync:
        text = f"{state.name}: {state.out_of_sync} partitions lack copies"
        yield note("topics", text, "start the brokers that are down")
    if in_sync > state.replicas_min:
        text = f"{state.name} wants {in_sync} copies in sync and has {state.replicas_min}"
        yield broken("topics", text, f"{alter}={max(1, state.replicas_min - 1)}")
    elif state.replicas_min == 1:
        text = f"{state.name} has one copy: the loss of a broker loses what was published"
        yield note("topics", text, "three brokers, and kafka-reassign-partitions to three copies")
    elif in_sync == 1:
        text = f"{state.name} is content with one copy in sync: the loss of a broker may lose it"
        yield broken("topics", text, f"{alter}={state.replicas_min - 1}")


def _configuration(state: TopicState) -> Iterator[Finding]:
    alter = f"kafka-configs --alter --topic {state.name} --add-config"
    bytes_max = int(state.configuration[_MAX_BYTES])
    if bytes_max < _RECORD_BYTES_MIN:
        text = f"{state.name} refuses records over {bytes_max} bytes; we may write larger ones"
        yield broken("topics", text, f"{alter} {_MAX_BYTES}={_RECORD_BYTES_MIN}")
    if "compact" in state.configuration[_CLEANUP]:
        text = f"{state.name} is compacted: it keeps the last message of a key only"
        yield broken("topics", text, f"{alter} {_CLEANUP}=delete")


def inbox_of(wanted: Sequence[WantedTopic], inbox_kept_s: float | None) -> Iterator[Finding]:
    """Judge whether the inbox remembers whatever the topics can bring again."""
    if inbox_kept_s is None or not wanted:
        return
    kept_s = max(topic.retention_days for topic in wanted) * _DAY_S
    text = f"it remembers {inbox_kept_s / _DAY_S:.1f} d, topics keep {kept_s / _DAY_S:.0f} d"
    if inbox_kept_s < kept_s:
        yield broken("inbox", text, "RELAY_INBOX_KEPT_HOURS above the retention of the topics")
    else:
        yield ok("inbox", text)
