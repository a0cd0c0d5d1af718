"""Contenders that answer orders over HTTP: served by a process, loaded by wrk."""

from abc import abstractmethod
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Final

from msgspec import Struct

from loadtests.benchmarks import refusals, wrk
from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.measurement import Measurement
from loadtests.benchmarks.site import Site
from loadtests.benchmarks.wrk import Load, LoadResult

_WARM_S: Final = 1


class Shape(Struct, frozen=True):
    """How many processes serve, and over how many connections they are loaded."""

    processes: int
    connections: int


class Door(Struct, frozen=True, kw_only=True):
    """Where orders are taken, and the processes that take them."""

    url: str
    token: str
    pids: tuple[int, ...]


class HttpContender(Contender):
    """Finds its best shape first; then every turn starts the process, warms it and loads it."""

    processes_offered: ClassVar[tuple[int, ...]] = (1,)

    def __init__(self) -> None:
        super().__init__()
        self._shape = Shape(1, 1)

    @abstractmethod
    async def furnish(self, site: Site) -> None:
        """Make what serving needs."""

    @abstractmethod
    def serving(self, site: Site, processes: int) -> AbstractAsyncContextManager[Door]:
        """Serve until the block ends."""

    async def written(self, site: Site) -> int | None:
        """Count what the database holds; None for a contender without one."""
        del site
        return None

    async def prepare(self, site: Site) -> None:
        await wrk.ensure_wrk(site)
        await self.furnish(site)
        self._shape = await self._best(site)
        self.settings |= {
            "processes": str(self._shape.processes),
            "connections": str(self._shape.connections),
            "generator": f"wrk {await wrk.wrk_version()}, one thread, new key with every request",
        }

    async def measure(self, site: Site, number: int) -> Measurement:
        del number
        async with self.serving(site, self._shape.processes) as door:
            await self._load(site, door, self._shape.connections, _WARM_S)
            before = await self.written(site)
            cpu = site.watch_cpu(server=door.pids)
            result = await self._load(site, door, self._shape.connections, site.scale.load_s)
            facts = cpu.cores() | _facts(result)
            after = await self.written(site)
        refused = self._refusal(result, before, after)
        if refused is not None:
            return Measurement(refused={"rate": refused}, facts=facts)
        return Measurement(figures={"rate": result.rate}, facts=facts)

    def _refusal(self, result: LoadResult, before: int | None, after: int | None) -> str | None:
        accepted = result.requests - result.other
        uncounted = None
        if before is not None and after is not None:
            # What is in flight when wrk ends is written and not answered: here and in the warm-up.
            in_flight = 2 * self._shape.connections
            uncounted = refusals.uncounted(accepted, after - before, in_flight)
        return refusals.first(
            refusals.busy_generator(result.cores),
            refusals.other_answers(accepted, result.other + result.broken),
            uncounted,
        )

    async def _best(self, site: Site) -> Shape:
        rates: dict[Shape, float] = {}
        for processes in self.processes_offered:
            async with self.serving(site, processes) as door:
                await self._load(site, door, site.scale.connections[0], _WARM_S)
                for connections in site.scale.connections:
                    result = await self._load(site, door, connections, site.scale.sweep_s)
                    rates[Shape(processes, connections)] = result.rate
        best = max(rates, key=lambda shape: rates[shape])
        site.say(f"  {self.name}: {best.processes} processes, {best.connections} connections")
        return best

    async def _load(self, site: Site, door: Door, connections: int, seconds: int) -> LoadResult:
        return await wrk.generate(
            site, Load(url=door.url, token=door.token, connections=connections, seconds=seconds)
        )


def _facts(result: LoadResult) -> dict[str, float]:
    return {
        "generator_cores": result.cores,
        "p50_ms": result.p50_ms,
        "p99_ms": result.p99_ms,
        "requests": result.requests,
        "other_answers": result.other + result.broken,
    }
