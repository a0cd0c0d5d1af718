"""Orderly's API as it is deployed, and with one part taken out to see what that part costs."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import ClassVar, Final

from deploy.local.launch import Program
from deploy.local.ports import LOOPBACK, free_port
from libs.foundation.database.connections import open_connection
from loadtests.benchmarks.contenders.http_load import Door, HttpContender
from loadtests.benchmarks.installation import BESIDE_API, Installation, pid_of
from loadtests.benchmarks.programs import Peer, Sibling, python, running
from loadtests.benchmarks.site import Site, server_settings
from loadtests.benchmarks.sql import catalogue, counts

_VARIANT: Final = "loadtests.benchmarks.peers.api_variant"
_SINK: Final = "loadtests.benchmarks.peers.trace_sink"
_DAY_MS: Final = 86_400_000
_TEBIBYTE: Final = 2**40
_SHARED: Final = {"API_SHARES_PORT": "true"}
# No relay and no worker runs beside the API: what it accepts stays open and grows from round to
# round, and an API that sheds by it would be measured for its refusals.
_NOBODY_TAKES_ORDERS_ON: Final = {
    "API_ADMISSION_OUTBOX_AGE_SOFT_MS": str(_DAY_MS),
    "API_ADMISSION_OUTBOX_AGE_HARD_MS": str(2 * _DAY_MS),
    "API_ADMISSION_OUTBOX_SOFT_BYTES": str(_TEBIBYTE),
    "API_ADMISSION_OUTBOX_HARD_BYTES": str(2 * _TEBIBYTE),
    "API_ADMISSION_OPEN_WORK_AGE_SOFT_MS": str(_DAY_MS),
    "API_ADMISSION_OPEN_WORK_AGE_HARD_MS": str(2 * _DAY_MS),
}


class _ApiContender(HttpContender):
    """Serves from a database of its own; as many processes as are fastest share the port."""

    processes_offered: ClassVar[tuple[int, ...]] = (1, 2)
    _installation: Installation

    async def furnish(self, site: Site) -> None:
        self._installation = await open_shop(site, self.name)

    async def written(self, site: Site) -> int:
        del site
        return await orders_in(self._installation)


class Api(_ApiContender):
    """Logs go to a file, metrics are counted, 5 % of the traces go to a collector."""

    name: ClassVar[str] = "api"
    unit: ClassVar[str] = "orders"
    what: ClassVar[str] = "Orderly's API, every default, sampled traces sent to a collector"

    @asynccontextmanager
    async def serving(self, site: Site, processes: int) -> AsyncGenerator[Door]:
        self.settings["telemetry"] = "defaults: metrics, 1 % access log, 5 % traces over OTLP"
        self.settings["admission"] = "defaults, but the marks of the outbox and of open orders"
        async with api_with_collector(site, self._installation, processes) as door:
            yield door


class ApiWithoutTelemetry(_ApiContender):
    """No span, no metric, no line of log below an error."""

    name: ClassVar[str] = "api_without_telemetry"
    unit: ClassVar[str] = "orders"
    what: ClassVar[str] = "the same API with its telemetry layer, metrics, traces and logs out"

    @asynccontextmanager
    async def serving(self, site: Site, processes: int) -> AsyncGenerator[Door]:
        quiet = {"API_PROCESS_TRACE_SAMPLE_RATIO": "0", "API_PROCESS_LOG_LEVEL": "error"}
        async with _variant(
            site, self._installation, "without_telemetry", quiet, processes
        ) as door:
            yield door


class ApiWithoutAuthentication(_ApiContender):
    """Every caller is a trusted checkout."""

    name: ClassVar[str] = "api_without_authentication"
    unit: ClassVar[str] = "orders"
    what: ClassVar[str] = "the same API, defaults, that believes every caller"

    @asynccontextmanager
    async def serving(self, site: Site, processes: int) -> AsyncGenerator[Door]:
        async with _variant(
            site, self._installation, "without_authentication", {}, processes
        ) as door:
            yield door


async def open_shop(site: Site, name: str) -> Installation:
    """Make a database with a catalogue and stock."""
    installation = Installation(site, name, site.make_database())
    url = installation.database.url
    async with open_connection(server_settings(url), "benchmark") as connection:
        await catalogue.fill(connection)
    return installation


async def orders_in(installation: Installation) -> int:
    url = installation.database.url
    async with open_connection(server_settings(url), "benchmark") as connection:
        return await counts.orders(connection)


@asynccontextmanager
async def api_with_collector(
    site: Site, installation: Installation, processes: int = 1
) -> AsyncGenerator[Door]:
    """Run the API as it is deployed: its spans go somewhere, or they would cost too little."""
    port = free_port()
    log = site.layout.log("trace-sink")
    sink = Peer("trace-sink", python(_SINK, str(port)), site.environment, port, log)
    settings = {
        **_NOBODY_TAKES_ORDERS_ON,
        **_SHARED,
        "API_PROCESS_OTLP_ENDPOINT": f"http://{LOOPBACK}:{port}",
    }
    environment = {**installation.environment_named("api"), **settings}
    siblings = _siblings(site, "api", python("services.api"), environment, processes - 1)
    async with (
        running(sink),
        installation.running(*BESIDE_API, "api", settings=settings) as services,
        _all_running(siblings),
    ):
        yield _door(installation, services["api"], *siblings)


@asynccontextmanager
async def _variant(
    site: Site,
    installation: Installation,
    variant: str,
    settings: Mapping[str, str],
    processes: int,
) -> AsyncGenerator[Door]:
    environment = {
        **installation.environment_named("api"),
        **_NOBODY_TAKES_ORDERS_ON,
        **_SHARED,
        **settings,
    }
    siblings = _siblings(site, variant, python(_VARIANT, variant), environment, processes)
    async with installation.running(*BESIDE_API), _all_running(siblings):
        yield _door(installation, *siblings)


def _siblings(
    site: Site, name: str, command: list[str], environment: Mapping[str, str], count: int
) -> list[Sibling]:
    found: list[Sibling] = []
    for number in range(1, count + 1):
        port = free_port()
        own = {**environment, "API_PROCESS_SIDE_PORT": str(port)}
        log = site.layout.log(f"{name}-sibling-{number}")
        found.append(Sibling(f"{name} {number}", command, own, port, log))
    return found


@asynccontextmanager
async def _all_running(programs: Sequence[Program]) -> AsyncGenerator[None]:
    async with AsyncExitStack() as stack:
        for program in programs:
            await stack.enter_async_context(running(program))
        yield


def _door(installation: Installation, *programs: Program) -> Door:
    return Door(
        url=installation.orders_url,
        token=installation.checkout_token,
        pids=tuple(pid_of(program) for program in programs),
    )
