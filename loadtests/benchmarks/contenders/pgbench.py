"""What the database alone can do: pgbench with one script and its best number of clients."""

from typing import ClassVar

from libs.foundation.database.connections import open_connection
from libs.testkit.databases import Database
from loadtests.benchmarks import pgbench, refusals
from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.measurement import Measurement
from loadtests.benchmarks.site import Site, server_settings
from loadtests.benchmarks.sql import catalogue

# More clients than this only queue behind the lock of the one row.
_WORKER_CLIENTS_MAX = 8


class _Pgbench(Contender):
    """Runs its script on a database of its own."""

    script: ClassVar[str]
    units_a_transaction: ClassVar[int] = 1
    _database: Database
    _clients: int

    def clients_offered(self, site: Site) -> tuple[int, ...]:
        return site.scale.clients

    async def prepare(self, site: Site) -> None:
        self._database = site.make_database()
        async with open_connection(server_settings(self._database.url), "benchmark") as connection:
            await catalogue.fill(connection)
        self._clients = await pgbench.best_clients(
            site, self.script, self._database.url, self.clients_offered(site)
        )
        self.settings = {
            "clients": f"{self._clients}, the best of {self.clients_offered(site)}",
            "options": f"-n -M prepared, two threads, PGOPTIONS='{pgbench.BY_KEY}'",
            "script": f"loadtests/benchmarks/sql/{self.script}",
        }

    async def measure(self, site: Site, number: int) -> Measurement:
        del number
        cpu = site.watch_cpu()
        result = await pgbench.run_script(
            site,
            self.script,
            self._database.url,
            clients=self._clients,
            seconds=site.scale.load_s,
        )
        facts = cpu.cores() | {"generator_cores": result.cores}
        refused = refusals.first(
            None if result.tps else f"no transaction ended within {site.scale.load_s} s",
            refusals.busy_generator(result.thread_cores),
        )
        if refused is not None:
            return Measurement(refused={"rate": refused}, facts=facts)
        return Measurement(figures={"rate": result.tps * self.units_a_transaction}, facts=facts)


class PgbenchOrders(_Pgbench):
    """Checks nothing, and decides nothing."""

    name: ClassVar[str] = "pgbench_orders"
    unit: ClassVar[str] = "orders"
    what: ClassVar[str] = "pgbench, one order a transaction: what the API reads and writes"
    script: ClassVar[str] = "one_order.sql"


class PgbenchWorker(_Pgbench):
    """One transaction is one wave of the worker."""

    name: ClassVar[str] = "pgbench_worker"
    unit: ClassVar[str] = "commands"
    what: ClassVar[str] = "pgbench, the inventory worker's statements for 500 commands at once"
    script: ClassVar[str] = "batched_commands.sql"
    units_a_transaction: ClassVar[int] = 500

    def clients_offered(self, site: Site) -> tuple[int, ...]:
        few = {min(clients, _WORKER_CLIENTS_MAX) for clients in site.scale.clients}
        return tuple(sorted(few | {1}))


class PgbenchHot(_Pgbench):
    """Has neither an inbox nor an order to answer."""

    name: ClassVar[str] = "pgbench_hot"
    unit: ClassVar[str] = "commands"
    what: ClassVar[str] = "pgbench, one atomic UPDATE of the hot row a transaction"
    script: ClassVar[str] = "hot_reservation.sql"
