"""One request is one trace, from the caller through every process to the payment provider."""

import secrets
from collections.abc import Sequence
from typing import Final

import pytest

from libs.testkit.eventually import eventually
from tests.e2e.collector import SeenSpan, open_collector
from tests.e2e.shop import Shop, order_of
from tests.e2e.stack import RunningStack

pytestmark = pytest.mark.timeout(300)

# What each process does for one order.
_STEPS: Final = {
    ("api", "POST /v1/orders"),
    ("outbox-relay", "outbox publish"),
    ("inventory-worker", "process inventory.reserve_stock.v1"),
    ("orders-worker", "process inventory.stock_reserved.v1"),
    ("payments-worker", "process payments.authorise_payment.v1"),
    ("payments-worker", "payments.authorise"),
    ("orders-worker", "process payments.payment_authorised.v1"),
}


async def test_one_order_is_one_trace_through_every_process(
    shop: Shop, stack: RunningStack
) -> None:
    sku = await shop.sell()
    trace_id, caller_id = secrets.token_hex(16), secrets.token_hex(8)

    async with open_collector(stack.collector_port) as collector:
        await place(shop, sku, f"00-{trace_id}-{caller_id}-01")
        connected = await eventually(
            lambda: reached_from(caller_id, collector.spans),
            lambda seen: steps_of(seen) >= _STEPS,
        )

    call = next(span for span in connected if span.name == "payments.authorise")
    assert call.trace_id == trace_id
    # A window and a wave may join many traces: then they link to this one.
    assert all(trace_id in (span.trace_id, *_linked_traces(span)) for span in connected)


async def test_a_request_whose_caller_does_not_record_is_not_recorded(
    shop: Shop, stack: RunningStack
) -> None:
    sku = await shop.sell()
    silent, recorded, caller_id = secrets.token_hex(16), secrets.token_hex(16), "00f067aa0ba902b7"

    async with open_collector(stack.collector_port) as collector:
        await place(shop, sku, f"00-{silent}-{caller_id}-00")
        await place(shop, sku, f"00-{recorded}-{caller_id}-01")
        await eventually(
            lambda: reached_from(caller_id, collector.spans),
            lambda seen: steps_of(seen) >= _STEPS,
        )

    seen = {each for span in collector.spans for each in (span.trace_id, *_linked_traces(span))}
    assert recorded in seen
    assert silent not in seen


async def place(shop: Shop, sku: str, traceparent: str) -> None:
    content = {"customer_id": shop.customer, **order_of(sku)}
    placed = await shop.post("/v1/orders", content, traceparent=traceparent)
    assert placed.status_code == 201, placed.text


def reached_from(span_id: str, spans: Sequence[SeenSpan]) -> list[SeenSpan]:
    """Return the spans that descend from a span, by parent or by link."""
    reached = {span_id}
    found: list[SeenSpan] = []
    left = list(spans)
    while True:
        next_ones = [span for span in left if reached & {span.parent_id, *_linked_spans(span)}]
        if not next_ones:
            return found
        found += next_ones
        reached |= {span.span_id for span in next_ones}
        left = [span for span in left if span not in next_ones]


def steps_of(spans: Sequence[SeenSpan]) -> set[tuple[str, str]]:
    return {(span.process, span.name) for span in spans}


def _linked_traces(span: SeenSpan) -> set[str]:
    return {trace_id for trace_id, _ in span.links}


def _linked_spans(span: SeenSpan) -> set[str]:
    return {span_id for _, span_id in span.links}
