"""What handlers append continues the trace of the message they answer."""

from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.tracing import traceparent_for
from libs.foundation.observability.trace_export import open_exporter
from libs.foundation.observability.tracing import use_provider
from libs.testkit.eventually import eventually
from tests.integration.messaging.consumer_toys import (
    Noted,
    Outgoing,
    Toys,
    ToyTopic,
    definition,
    message,
    note,
    send,
)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    use_provider(open_exporter("toys", exporter), 0.0)
    yield exporter
    use_provider(None, 0.0)


def trace_id(n: int) -> str:
    return f"{n + 1:032x}"


def traced(n: int) -> Outgoing:
    sent = message(Noted(f"k{n}", n))
    traceparent = f"00-{trace_id(n)}-{'b' * 16}-01".encode()
    return Outgoing(
        key=sent.key, body=sent.body, headers=(*sent.headers, ("traceparent", traceparent))
    )


@pytest.mark.parametrize("count", [1, 5])
async def test_answers_continue_the_trace_of_their_subject(
    toys: Toys, topic: ToyTopic, spans: InMemorySpanExporter, count: int
) -> None:
    continued: dict[str, str | None] = {}

    async def answer(tx: Transaction, messages: Sequence[Noted]) -> None:
        await note(tx, messages)
        continued.update({each.key: traceparent_for(each.key) for each in messages})

    one_partition = ToyTopic(topic.name, 1)
    await send(toys.bootstrap, one_partition, [traced(n) for n in range(count)])
    async with toys.consuming(definition(topic.name, [topic], answer)):
        await eventually(toys.count, lambda found: found == count)

    traces = {key: (found or "").split("-")[1] for key, found in continued.items()}
    assert traces == {f"k{n}": trace_id(n) for n in range(count)}
    [recorded] = spans.get_finished_spans()
    assert recorded.name == "process toys.noted.v1"
    assert len(recorded.links) == (count if count > 1 else 0)
