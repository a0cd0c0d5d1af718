"""The API when more is asked of it than it can do: what it still answers, and how late."""

from typing import ClassVar, Final

from loadtests.benchmarks import refusals, wrk
from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.contenders.api import api_with_collector, open_shop
from loadtests.benchmarks.contenders.http_load import Door
from loadtests.benchmarks.installation import Installation
from loadtests.benchmarks.measurement import Measurement
from loadtests.benchmarks.site import Site
from loadtests.benchmarks.wrk import PACED, Load, LoadResult

# More than the API lets in at once, so that what it holds up does not hold up the load.
_CONNECTIONS: Final = 2_048
_WARM_S: Final = 1
_FEWEST_ACCEPTED: Final = 100


class Overload(Contender):
    """Finds the capacity with as many connections as suit it, then offers it once and twice."""

    name: ClassVar[str] = "overload"
    unit: ClassVar[str] = "orders"
    what: ClassVar[str] = "Orderly's API, every default, at its capacity and at twice of it"
    _installation: Installation

    async def prepare(self, site: Site) -> None:
        await wrk.ensure_wrk(site)
        self._installation = await open_shop(site, self.name)
        self.settings = {
            "capacity": f"closed loop, {_closed(site)} connections, measured first in every turn",
            "offered": f"a fixed rate over {_CONNECTIONS} connections, whatever is answered",
            "p99": "of accepted orders, from the moment each was meant to begin",
        }

    async def measure(self, site: Site, number: int) -> Measurement:
        del number
        async with api_with_collector(site, self._installation) as door:
            await _closed_loop(site, door, _WARM_S)
            capacity = (await _closed_loop(site, door, site.scale.load_s)).rate
            once = await _paced(site, door, capacity)
            twice = await _paced(site, door, capacity * 2)
        measured = Measurement(
            facts={
                "capacity": capacity,
                "generator_cores": twice.cores,
                "shed_at_double": twice.other / max(1, twice.requests),
                "p50_at_double_ms": twice.accepted_p50_ms,
            }
        )
        for name, factor, result in (("capacity", 1, once), ("double", 2, twice)):
            refused = _refusal(capacity * factor, result)
            figures = {
                f"goodput_at_{name}": result.accepted / result.seconds,
                f"p99_at_{name}_ms": result.accepted_p99_ms,
            }
            if refused is None:
                measured.figures.update(figures)
            else:
                measured.refused.update(dict.fromkeys(figures, refused))
        return measured


def _refusal(wanted: float, result: LoadResult) -> str | None:
    few = result.accepted < _FEWEST_ACCEPTED
    return refusals.first(
        refusals.missed_load(wanted, result.sent_rate),
        refusals.busy_generator(result.cores),
        f"only {result.accepted} orders were accepted" if few else None,
    )


def _closed(site: Site) -> int:
    return site.scale.connections[len(site.scale.connections) // 2]


async def _closed_loop(site: Site, door: Door, seconds: int) -> LoadResult:
    load = Load(url=door.url, token=door.token, connections=_closed(site), seconds=seconds)
    return await wrk.generate(site, load)


async def _paced(site: Site, door: Door, rate: float) -> LoadResult:
    load = Load(
        url=door.url,
        token=door.token,
        connections=_CONNECTIONS,
        seconds=site.scale.load_s,
        script=PACED,
        rate=rate,
    )
    return await wrk.generate(site, load)
