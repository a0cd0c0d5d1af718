"""Types, topics and sources of the contracts fit together."""

import pytest

from libs.contracts.messages import Command, Event
from libs.contracts.topics import TOPICS
from tests.contracts.registry import CONTRACTS, DECODERS_OF

NAMES = sorted(CONTRACTS)


def test_the_table_is_what_was_agreed() -> None:
    assert [(topic.name, topic.partitions, topic.retention_days) for topic in TOPICS] == [
        ("orders.events", 12, 7),
        ("inventory.commands", 12, 7),
        ("inventory.events", 12, 7),
        ("payments.commands", 12, 7),
        ("payments.events", 12, 7),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_type_names_its_context_and_a_version(name: str) -> None:
    context, _, version = name.split(".")

    assert any(name in table for table in DECODERS_OF[context])
    assert version.startswith("v")
    assert version[1:].isdigit()


@pytest.mark.parametrize("name", NAMES)
def test_events_and_commands_travel_on_topics_of_their_own(name: str) -> None:
    contract = CONTRACTS[name]
    context = name.split(".", maxsplit=1)[0]

    assert contract.topic in TOPICS
    if issubclass(contract, Event):
        assert contract.topic.name == f"{context}.events"
        assert contract.source == f"/orderly/{context}"
        assert contract.topic.accepts_unknown_types
    else:
        assert issubclass(contract, Command)
        assert contract.topic.name == f"{context}.commands"
        assert not contract.topic.accepts_unknown_types
