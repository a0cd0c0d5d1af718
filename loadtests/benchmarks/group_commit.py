"""The API placing orders, beside pgbench placing one order per transaction on the same tables.

`python -m loadtests.benchmarks.group_commit [seconds]`, with ORDERLY_TEST_DATABASE_URL (a
superuser's); its database is its own and goes at the end. Both are durable: an order counts once
its COMMIT is answered. pgbench reads and writes what the API does but checks nothing.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import msgspec
import uvloop

from deploy.local.health import answers_ok
from deploy.local.ports import LOOPBACK, free_ports
from deploy.local.programs import postgres_programs
from libs.foundation.database.connections import open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.testkit.callers import Callers
from libs.testkit.databases import Database, DatabaseServer
from libs.testkit.eventually import eventually
from loadtests.benchmarks.order_load import LoadResult
from loadtests.benchmarks.sql import catalogue

_SCRIPT: Final = Path(__file__).parent / "sql" / "one_order.sql"
_PGBENCH_CLIENTS: Final = (4, 16, 32)
_CONNECTIONS: Final = (1, 64, 128)
_ROUNDS: Final = 2
_START_S: Final = 20.0


async def main(seconds: float) -> None:
    """Alternate between the two, so that a busy neighbour troubles both."""
    run = f"commit{uuid.uuid4().hex[:8]}"
    with closing(DatabaseServer(os.environ["ORDERLY_TEST_DATABASE_URL"], run)) as server:
        try:
            server.make_template()
            await _compare(server.make_database(), seconds)
        finally:
            server.drop_all()


async def _compare(database: Database, seconds: float) -> None:
    async with open_connection(DatabaseSettings(url=database.url), "benchmark") as connection:
        await catalogue.fill(connection)
    best_of_pgbench = best_of_api = 0.0
    async with _api(database) as (port, token):
        for _ in range(_ROUNDS):
            for clients in _PGBENCH_CLIENTS:
                rate = await _pgbench(database.url, clients, seconds)
                best_of_pgbench = max(best_of_pgbench, rate)
                print(f"pgbench {clients:>4} clients       {rate:>8,.0f} orders/s")
            for connections in _CONNECTIONS:
                result = await _load(port, token, connections, seconds)
                rate = result.statuses.get("201", 0) / result.seconds
                best_of_api = max(best_of_api, rate)
                print(
                    f"API     {connections:>4} connections   {rate:>8,.0f} orders/s"
                    f"   p50 {result.p50_ms:.1f} ms, p99 {result.p99_ms:.1f} ms, {result.statuses}"
                )
    print(f"best against best: {best_of_api / best_of_pgbench:.2f}")


async def _pgbench(url: str, clients: int, seconds: float) -> float:
    program = postgres_programs(None) / "pgbench"
    arguments = ("-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", f"{seconds:.0f}")
    output = await _output(str(program), *arguments, "-f", str(_SCRIPT), url)
    line = next(line for line in output.splitlines() if line.startswith("tps = "))
    return float(line.split()[2])


async def _load(port: int, token: str, connections: int, seconds: float) -> LoadResult:
    module = "loadtests.benchmarks.order_load"
    target = (LOOPBACK, str(port), token, str(connections), str(seconds))
    output = await _output(sys.executable, "-m", module, *target)
    return msgspec.json.decode(output, type=LoadResult)


async def _output(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with status {process.returncode}")
    return output.decode()


@asynccontextmanager
async def _api(database: Database) -> AsyncGenerator[tuple[int, str]]:
    """Run the API, and yield its port with a token of a checkout."""
    port, side_port = free_ports(2)
    with tempfile.TemporaryDirectory() as folder:
        callers = Callers(Path(folder))
        environment = {
            "API_DATABASE_URL": database.url_for("orderly_api"),
            "API_PORT": str(port),
            "API_PROCESS_SIDE_PORT": str(side_port),
            "API_PROCESS_LOG_LEVEL": "warning",
            "API_AUTHENTICATION_ISSUERS": callers.settings.issuers,
            "API_CURSOR_SECRET": uuid.uuid4().hex,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.api", env={**os.environ, **environment}
        )
        try:
            ready = f"http://{LOOPBACK}:{side_port}/readyz"
            await eventually(lambda: answers_ok(ready), within_s=_START_S)
            yield port, callers.token("bench", "machine", ["orders:checkout"])
        finally:
            process.terminate()
            await process.wait()


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
