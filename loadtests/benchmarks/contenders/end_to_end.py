"""The whole platform: from the request to the confirmed order, every process on the machine."""

from typing import ClassVar, Final

from libs.foundation.database.connections import open_connection
from loadtests.benchmarks import drain, refusals, wrk
from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.contenders.api import open_shop, orders_in
from loadtests.benchmarks.installation import EVERY_PROCESS, Installation, pid_of, product_topics
from loadtests.benchmarks.measurement import Measurement
from loadtests.benchmarks.site import Site, server_settings
from loadtests.benchmarks.sql import counts
from loadtests.benchmarks.wrk import Load

_CONNECTIONS: Final = 64
_SETTLE_S: Final = 120
_LOOK_S: Final = 0.25


class EndToEnd(Contender):
    """Offers orders as fast as they are answered, then waits for the last to be confirmed."""

    name: ClassVar[str] = "end_to_end"
    unit: ClassVar[str] = "orders"
    what: ClassVar[str] = "every process of the stack: orders/s from the first request to the last"
    needs_kafka: ClassVar[bool] = True
    turn_s: ClassVar[float] = 300
    _installation: Installation

    async def prepare(self, site: Site) -> None:
        await wrk.ensure_wrk(site)
        self._installation = await open_shop(site, self.name)
        self.settings = {
            "processes": ", ".join(EVERY_PROCESS),
            "connections": str(min(_CONNECTIONS, site.scale.connections[0])),
            "payment provider": "the simulator, without faults",
        }

    async def measure(self, site: Site, number: int) -> Measurement:
        del number
        async with (
            product_topics(site),
            self._installation.running(*EVERY_PROCESS) as services,
        ):
            pids = {name.replace("-", "_"): pid_of(each) for name, each in services.items()}
            return await self._measure(site, pids)

    async def _measure(self, site: Site, pids: dict[str, int]) -> Measurement:
        url = self._installation.database.url
        placed_before = await orders_in(self._installation)
        async with open_connection(server_settings(url), "benchmark") as connection:
            confirmed_before = await counts.confirmed(connection)
            cpu = site.watch_cpu(**pids)
            started = drain.Seen.now(0)
            load = Load(
                url=self._installation.orders_url,
                token=self._installation.checkout_token,
                connections=min(_CONNECTIONS, site.scale.connections[0]),
                seconds=site.scale.load_s,
            )
            result = await wrk.generate(site, load)
            placed = await orders_in(self._installation) - placed_before

            async def confirmed() -> int:
                return await counts.confirmed(connection) - confirmed_before

            seen = await drain.watch(confirmed, placed, limit_s=_SETTLE_S, poll_s=_LOOK_S)
        seconds = seen[-1].at_s - started.at_s
        facts = cpu.cores() | {
            "generator_cores": result.cores,
            "accepted_rate": result.rate,
            "orders": placed,
            "settled_after_s": seconds - result.seconds,
        }
        refused = refusals.first(
            refusals.busy_generator(result.cores),
            refusals.other_answers(result.requests - result.other, result.other + result.broken),
        )
        if refused is not None:
            return Measurement(refused={"rate": refused}, facts=facts)
        return Measurement(figures={"rate": placed / seconds}, facts=facts)
