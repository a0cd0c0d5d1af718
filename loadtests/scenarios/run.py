"""Runs one scenario on fresh servers with every process of the platform."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Final

from msgspec import Struct

from deploy.local.service import Service
from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.runtime.interruption import interrupt
from libs.testkit.sql.invariants import broken_invariants
from loadtests.benchmarks import wrk
from loadtests.benchmarks.installation import EVERY_PROCESS, Installation, pid_of, product_topics
from loadtests.benchmarks.site import Site, server_settings
from loadtests.benchmarks.sql import catalogue
from loadtests.scenarios import generator
from loadtests.scenarios.generator import Sent
from loadtests.scenarios.sampler import Sample, sampling
from loadtests.scenarios.scenario import Scenario, Slowed, Stage, steady
from loadtests.scenarios.sql import journeys
from loadtests.scenarios.sql.journeys import StageLatency

_SETTLE_S: Final = 300.0
_LOOK_S: Final = 0.5
_WARM: Final = steady(20, 3)
# A process that is stopped three quarters of the time still sends its heartbeats.
_STOPPED_S: Final = 0.3
_RUNNING_S: Final = 0.1
KNEE_P99_MS: Final = 500.0
"""The latency goal of the breakpoint: p99 from the intended start to the answer."""
_LOST_MAX: Final = 0.01
_OFFERED_MIN: Final = 0.99


class Step(Struct, frozen=True, kw_only=True):
    """One rate that the breakpoint tried."""

    rate: float
    p99_ms: float
    lost: int
    holds: bool
    busiest: dict[str, float]
    """The cores of each process in this step, the busiest first."""
    longest: dict[str, float]
    """The mean length of each queue in this step, the longest first."""


class Outcome(Struct, frozen=True, kw_only=True):
    """Everything one run has shown."""

    sent: list[Sent]
    samples: list[Sample]
    stages: list[StageLatency]
    steps: list[Step]
    settled_s: float | None
    """From the last order to the last decision; None when it did not come to that."""
    broken: list[str]


async def run(site: Site, scenario: Scenario) -> Outcome:
    """Run `scenario` and look at the books once nothing is in flight."""
    await wrk.ensure_wrk(site)
    installation = Installation(site, scenario.name, site.make_database())
    url = installation.database.url
    async with open_connection(server_settings(url), "load") as connection:
        await catalogue.sell(connection)
        await journeys.stock_the_shop(connection)
        async with (
            product_topics(site),
            installation.running(*EVERY_PROCESS) as services,
            sampling(_side_urls(services), _pids(site, services)) as sampler,
        ):
            load = _Load(site, installation, scenario, sampler.samples, services)
            sent, steps = await load.sent()
            settled_s = await _settled(connection)
        stages = list(await journeys.stage_latencies(connection))
    broken = await asyncio.to_thread(broken_invariants, url)
    return Outcome(
        sent=sent,
        samples=sampler.samples,
        stages=stages,
        steps=steps,
        settled_s=settled_s,
        broken=broken,
    )


class _Load:
    def __init__(
        self,
        site: Site,
        installation: Installation,
        scenario: Scenario,
        samples: Sequence[Sample],
        services: dict[str, Service],
    ) -> None:
        self._site = site
        self._installation = installation
        self._scenario = scenario
        self._samples = samples
        self._services = services

    async def sent(self) -> tuple[list[Sent], list[Step]]:
        """Warm up, then send the scenario's orders."""
        await self._send((_WARM,))
        slowed = self._scenario.slowed
        if self._scenario.climbs:
            return await self._climb()
        if slowed is None:
            return [await self._send(self._scenario.stages)], []
        pid = pid_of(self._services[slowed.process])
        slowing = asyncio.create_task(_slow(pid, slowed))
        try:
            return [await self._send(self._scenario.stages)], []
        finally:
            await interrupt(slowing)
            os.kill(pid, signal.SIGCONT)

    async def _send(self, stages: Sequence[Stage]) -> Sent:
        url, token = self._installation.orders_url, self._installation.checkout_token
        return await generator.send(self._site, url, token, stages, self._scenario.skus)

    async def _climb(self) -> tuple[list[Sent], list[Step]]:
        """Try one step after the other until one does not hold."""
        sent: list[Sent] = []
        steps: list[Step] = []
        for stage in self._scenario.stages:
            before = len(self._samples)
            sent.append(await self._send((stage,)))
            steps.append(_step(stage, sent[-1], self._samples[before:]))
            self._site.say(f"  {stage.from_rate:,.0f}/s: p99 {steps[-1].p99_ms:,.0f} ms")
            if not steps[-1].holds:
                break
        return sent, steps


def _step(stage: Stage, sent: Sent, samples: Sequence[Sample]) -> Step:
    cores = _means([each.cores for each in samples]) | {"generator": sent.cores}
    queues = _means([each.queues for each in samples])
    return Step(
        rate=stage.from_rate,
        p99_ms=sent.accepted_p99_ms,
        lost=sent.lost,
        holds=sent.accepted_p99_ms <= KNEE_P99_MS
        and sent.lost <= sent.sent * _LOST_MAX
        and sent.sent >= sent.planned * _OFFERED_MIN,
        busiest=_largest_first(cores),
        longest=_largest_first(queues),
    )


def _means(looks: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each name; a look that lacks it counts as nothing."""
    names = {name for look in looks for name in look}
    return {name: sum(look.get(name, 0.0) for look in looks) / len(looks) for name in names}


def _largest_first(figures: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(figures.items(), key=lambda each: -each[1]))


async def _slow(pid: int, slowed: Slowed) -> None:
    """Stop the process again and again, as a starved one would run."""
    await asyncio.sleep(slowed.from_s)
    ends_at_s = perf_counter() + slowed.to_s - slowed.from_s
    while perf_counter() < ends_at_s:
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(_STOPPED_S)
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(_RUNNING_S)


async def _settled(connection: Connection) -> float | None:
    """Wait until every order is decided; return how long that took."""
    began_s = perf_counter()
    try:
        async with asyncio.timeout(_SETTLE_S):
            # Nothing tells when the last order is decided.
            while await journeys.pending(connection):  # noqa: ASYNC110
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        return None
    return perf_counter() - began_s


def _side_urls(services: dict[str, Service]) -> dict[str, str]:
    return {name: service.side_url for name, service in services.items()}


def _pids(site: Site, services: dict[str, Service]) -> dict[str, int]:
    pids = {name: pid_of(service) for name, service in services.items()}
    if site.postgres.child is not None:
        pids["postgres"] = site.postgres.child.pid
    if site.kafka.child is not None:
        pids["kafka"] = site.kafka.child.pid
    return pids
