"""What the doctor makes of topics, their copies and their limits."""

from collections.abc import Mapping

import pytest
from msgspec import Struct

from libs.foundation.doctor.broker_checks import TopicState, inbox_of, topic_of

WELL: dict[str, str] = {
    "max.message.bytes": "1048588",
    "min.insync.replicas": "2",
    "cleanup.policy": "delete",
}


def state(
    configuration: Mapping[str, str] | None = None,
    *,
    replicas: int = 3,
    leaderless: int = 0,
    out_of_sync: int = 0,
) -> TopicState:
    return TopicState(
        name="toys.events",
        replicas_min=replicas,
        leaderless=leaderless,
        out_of_sync=out_of_sync,
        configuration={**WELL, **(configuration or {})},
    )


class Wanted(Struct, frozen=True):
    name: str = "toys.events"
    partitions: int = 12
    retention_days: int = 7


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (state(), "ok"),
        (state({"max.message.bytes": "900000"}), "broken"),
        (state({"cleanup.policy": "compact,delete"}), "broken"),
        (state({"min.insync.replicas": "1"}), "broken"),
        (state({"min.insync.replicas": "4"}), "broken"),
        (state({"min.insync.replicas": "1"}, replicas=1), "note"),
        (state(leaderless=1), "broken"),
        (state(out_of_sync=2), "note"),
    ],
)
def test_each_thing_that_is_wrong_with_a_topic_is_found(found: TopicState, expected: str) -> None:
    findings = list(topic_of(found))

    assert [finding.verdict.value for finding in findings] == [expected]
    assert all(finding.remedy for finding in findings if finding.verdict != "ok")


@pytest.mark.parametrize(("kept_days", "expected"), [(8.5, ["ok"]), (6.0, ["broken"]), (None, [])])
def test_an_inbox_that_forgets_before_the_topics_do_is_broken(
    kept_days: float | None, expected: list[str]
) -> None:
    kept_s = None if kept_days is None else kept_days * 86_400

    assert [finding.verdict for finding in inbox_of([Wanted()], kept_s)] == expected
