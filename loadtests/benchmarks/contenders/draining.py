"""What the relays' contenders share: a fresh topic, a backlog, and how fast it is published."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

from msgspec import Struct

from deploy.local.launch import Program
from loadtests.benchmarks import drain, refusals
from loadtests.benchmarks.commit_to_consumer import Flow, FlowResult, run_flow
from loadtests.benchmarks.drain import HighWatermark, high_watermark
from loadtests.benchmarks.events import PARTITIONS
from loadtests.benchmarks.measurement import Measurement
from loadtests.benchmarks.site import Site

FLOW_RATE: Final = "flow_rate"
"""What `Site.found` calls the rate at which latencies are measured."""
LARGE_LEFT_OUT: Final = "a run of this size leaves the large backlog out"
_SLOWEST_EVENTS_A_SECOND: Final = 1_000
_START_S: Final = 60


class Published(Struct, frozen=True):
    """A topic, and what Kafka has acknowledged of it."""

    topic: str
    mark: HighWatermark


@asynccontextmanager
async def fresh_topic(site: Site) -> AsyncGenerator[Published]:
    """Make a topic of this turn's own, and watch it."""
    topic = f"benchmark-{uuid4().hex[:10]}"
    async with (
        site.topics([topic], partitions=PARTITIONS),
        high_watermark(site.kafka.bootstrap, topic, PARTITIONS) as mark,
    ):
        yield Published(topic, mark)


async def drained_rate(
    published: Published, rows: int, worker: Program | None, groups: dict[str, int], site: Site
) -> tuple[float, dict[str, float]]:
    """Wait until `rows` more events are acknowledged; return the rate and the cores taken."""
    cpu = site.watch_cpu(**groups)
    limit_s = _START_S + rows / _SLOWEST_EVENTS_A_SECOND
    seen = await drain.watch(published.mark.count, rows, limit_s=limit_s, worker=worker)
    return drain.rate_of(seen), cpu.cores()


async def with_latency(
    site: Site, measured: Measurement, *, table: str, url: str, topic: str
) -> Measurement:
    """Add the latency from commit to consumer, if the rate for it is known."""
    rate = site.found.get(FLOW_RATE)
    if rate is None:
        reason = "what Debezium can do is not known, and half of it is the load"
        return _with(measured, refused={"p99_ms": reason})
    flow = Flow(
        url=url,
        table=table,
        bootstrap=site.kafka.bootstrap,
        topic=topic,
        rate=rate,
        seconds=site.scale.latency_s,
    )
    result = await run_flow(site, flow)
    refused = _refusal(result)
    facts = {
        "flow_events_a_second": rate,
        "flow_p50_ms": result.p50_ms,
        "flow_generator_cores": result.cores,
    }
    if refused is not None:
        return _with(measured, refused={"p99_ms": refused}, facts=facts)
    figures = {"p99_ms": result.p99_ms, "p50_ms": result.p50_ms}
    return _with(measured, figures=figures, facts=facts)


def _refusal(result: FlowResult) -> str | None:
    missing = result.sent - result.received
    return refusals.first(
        refusals.missed_load(result.wanted_rate, result.sent_rate),
        refusals.busy_generator(result.cores),
        f"{missing:,} of {result.sent:,} events did not arrive in time" if missing else None,
    )


def _with(
    measured: Measurement,
    *,
    figures: dict[str, float] | None = None,
    refused: dict[str, str] | None = None,
    facts: dict[str, float] | None = None,
) -> Measurement:
    return Measurement(
        figures=measured.figures | (figures or {}),
        refused=measured.refused | (refused or {}),
        facts=measured.facts | (facts or {}),
    )
