"""docs/observability.md explains every metric, span and log event, and nothing else."""

import pytest

from tests.architecture.rules import telemetry
from tests.architecture.source import Source, demand, python_sources, repository

PATH = "libs/foundation/web/example.py"
DOCUMENT = """# Observability
| `not_in_a_table_of_names` | x |

## Metrics
| metric | answers |
|---|---|
| `a_total` | how many |

## Spans
| `handle {kind}` | x |

## Log events
| `it_happened` | `another` |

## Links
| `nothing` | x |
"""


def test_the_document_explains_what_the_code_emits() -> None:
    names = {name for source in python_sources() for name in telemetry.emitted(source)}
    document = [source for source in repository() if source.path == telemetry.DOCUMENT]

    assert document
    demand(lambda source: telemetry.differences(source, names), document)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ('A = counter("a_total", "Help.")', ("metric", "a_total")),
        ('A = metrics.histogram_by("a_seconds", "Help.", "kind")', ("metric", "a_seconds")),
        ('with span("publish"): ...', ("span", "publish")),
        ('with span_from(parent, f"handle {kind}"): ...', ("span", "handle {kind}")),
        ('span.update_name(f"{method} {route}")', ("span", "{method} {route}")),
        ('tracing.record_span(parent, "flush", started_ns=1)', ("span", "flush")),
        ('_log.info("process_started", name=name)', ("log event", "process_started")),
        ('self._log.warning("late")', ("log event", "late")),
    ],
)
def test_what_a_module_emits_is_found(line: str, name: tuple[str, str]) -> None:
    assert list(telemetry.emitted(Source(PATH, line))) == [name]


@pytest.mark.parametrize("line", ['errors.error("no log")', "counter(name, text)", "span(name)"])
def test_other_calls_emit_nothing(line: str) -> None:
    assert list(telemetry.emitted(Source(PATH, line))) == []


def test_only_deployed_code_counts() -> None:
    text = 'A = counter("a_total", "Help.")'

    assert list(telemetry.emitted(Source("tests/unit/test_a.py", text))) == []
    assert list(telemetry.emitted(Source("libs/testkit/faults.py", text))) == []


def test_a_name_is_explained_in_the_first_column_below_its_heading() -> None:
    found = telemetry.explained(Source(telemetry.DOCUMENT, DOCUMENT))

    assert found == {("metric", "a_total"), ("span", "handle {kind}"), ("log event", "it_happened")}


def test_a_missing_and_a_superfluous_name_are_found() -> None:
    names = {("metric", "a_total"), ("metric", "b_total"), ("span", "handle {kind}")}

    findings = telemetry.differences(Source(telemetry.DOCUMENT, DOCUMENT), names)

    messages = [finding.message for finding in findings]
    assert len(messages) == 2
    assert "the metric b_total is missing" in messages[0]
    assert "no code emits the log event it_happened" in messages[1]
