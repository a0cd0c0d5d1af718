"""Decision records are numbered, complete, listed, and confirmed by something that exists."""

import pytest

from tests.architecture.rules import decisions
from tests.architecture.source import Finding, Source, demand, exists, found, repository

PATH = "docs/adr/0004-publish-in-order.md"
RECORD = """# 0004. One key is published in order
Accepted · 2026-11-23 · messaging

## Context
Events of one key must not overtake each other.

## Decision        Publish from a committed cursor.

## Consequences
+ Order. - One relay.

## Alternatives
Competing relays.

## Confirmation
tests/integration/messaging/test_relay_order.py::test_order · loadtests/scenarios/spike
"""


def records() -> list[Source]:
    return [source for source in repository() if decisions.is_decision(source)]


def test_every_decision_is_complete() -> None:
    demand(decisions.opening, records())
    demand(decisions.sections, records())


def test_every_decision_is_confirmed_by_something_that_exists() -> None:
    demand(decisions.confirmations(exists), records())


def test_decisions_are_numbered_without_a_gap() -> None:
    demand(lambda _: decisions.numbering(records()), records()[:1])


def test_the_index_lists_every_decision() -> None:
    index = [source for source in repository() if source.path == f"{decisions.FOLDER}/README.md"]

    assert bool(index) == bool(records())
    demand(lambda source: decisions.missing_from_index(source, records()), index)


def test_a_complete_record_is_accepted() -> None:
    assert found(decisions.opening, PATH, RECORD) == []
    assert found(decisions.sections, PATH, RECORD) == []
    assert found(decisions.confirmations(lambda _: True), PATH, RECORD) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [("# 0004.", "# 0005."), ("Accepted · ", "Maybe · "), ("2026-11-23 · messaging", "2026")],
)
def test_a_record_that_opens_otherwise_is_found(old: str, new: str) -> None:
    assert found(decisions.opening, PATH, RECORD.replace(old, new)) != []


@pytest.mark.parametrize(
    ("old", "new"),
    [("## Alternatives", "## Options"), ("Competing relays.\n", ""), ("## Context\n", "")],
)
def test_a_record_with_a_missing_or_empty_section_is_found(old: str, new: str) -> None:
    assert found(decisions.sections, PATH, RECORD.replace(old, new)) != []


def test_a_record_confirmed_by_what_does_not_exist_is_found() -> None:
    rule = decisions.confirmations(lambda path: path == "loadtests/scenarios/spike")

    messages = [finding.message for finding in rule(Source(PATH, RECORD))]

    assert len(messages) == 1
    assert "tests/integration/messaging/test_relay_order.py::test_order" in messages[0]


def test_a_record_without_confirmation_is_found_unless_it_says_by_review() -> None:
    rule = decisions.confirmations(lambda _: True)
    head = RECORD[: RECORD.index("tests/integration")]

    assert found(rule, PATH, f"{head}We will see.\n") == [1]
    assert found(rule, PATH, f"{head}By review of each pull request.\n") == []


@pytest.mark.parametrize("numbers", [["0001", "0003"], ["0001", "0001"], ["0002"]])
def test_a_gap_or_a_twin_in_the_numbers_is_found(numbers: list[str]) -> None:
    twins = [Source(f"docs/adr/{number}-{n}.md", "") for n, number in enumerate(numbers)]

    assert len(list(decisions.numbering(twins))) == 1


def test_a_decision_the_index_does_not_list_is_found() -> None:
    index = Source("docs/adr/README.md", "[1](0001-a.md)")
    records = [Source("docs/adr/0001-a.md", ""), Source("docs/adr/0002-b.md", "")]

    assert list(decisions.missing_from_index(index, records)) == [
        Finding("docs/adr/README.md", 1, "list 0002-b.md with a link")
    ]
