"""What the inventory worker is measured beside writes what the worker writes."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.local.programs import postgres_programs
from libs.domain.inventory.use_cases.reserve_stock import reserve_stock
from libs.foundation.database.connections import open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.testkit import build
from libs.testkit.databases import DatabaseServer
from loadtests.benchmarks.contenders.pgbench import PgbenchWorker
from loadtests.benchmarks.sql import catalogue
from tests.integration.shop import Shop, deliver, open_shop

SCRIPT = Path(catalogue.__file__).with_name(PgbenchWorker.script)
COMMANDS = PgbenchWorker.units_a_transaction
# A row per command in three tables, one per item in two; the stock is only updated.
WRITTEN = """
    SELECT 'reservations ' || state || answer_type, count(*), count(answer)
    FROM inventory.reservations GROUP BY 1
    UNION ALL SELECT 'items', count(*), sum(quantity - shipped - released - returned)
    FROM inventory.reservation_items
    UNION ALL SELECT 'movements ' || kind, sum(reserved_delta), sum(on_hand_delta)
    FROM inventory.movements GROUP BY kind
    UNION ALL SELECT 'stock', sum(reserved), sum(sequence) FROM inventory.stock
    UNION ALL SELECT 'outbox ' || topic || type, count(*), count(sequence)
    FROM messaging.outbox GROUP BY topic, type"""
ANSWER_BYTES = "SELECT avg(octet_length(payload)) FROM messaging.outbox"


async def written(shop: Shop) -> Mapping[str, tuple[int, int]]:
    """Return what is in the tables, by table and kind."""
    return {name: (int(first), int(second)) for name, first, second in shop.rows(WRITTEN)}


async def by_worker(shop: Shop) -> Mapping[str, tuple[int, int]]:
    """Let the worker's use case take as many commands as the script has."""
    half = catalogue.SKUS // 2
    await deliver(
        shop.inventory,
        reserve_stock,
        *(
            build.reserve_stock(**{f"CD-{1 + n % half}": 1, f"CD-{half + 1 + n % half}": 1})
            for n in range(COMMANDS)
        ),
    )
    return await written(shop)


async def by_script(shop: Shop) -> Mapping[str, tuple[int, int]]:
    program = postgres_programs(None) / "pgbench"
    options = ("-n", "-M", "prepared", "-t", "1")
    subprocess.run(
        [str(program), *options, "-f", str(SCRIPT), shop.url], check=True, capture_output=True
    )
    return await written(shop)


async def test_the_script_writes_what_the_worker_writes(
    postgres_server: DatabaseServer,
) -> None:
    rows: list[Mapping[str, tuple[int, int]]] = []
    answer_bytes: list[int] = []
    for write in (by_worker, by_script):
        with postgres_server.database() as database:
            async with open_connection(DatabaseSettings(url=database.url), "test") as connection:
                await catalogue.fill(connection)
            async with open_shop(database) as shop:
                rows.append(await write(shop))
                answer_bytes.append(int(shop.rows(ANSWER_BYTES)[0][0]))

    ours, theirs = rows
    assert theirs["stock"][0] == ours["stock"][0] == 2 * COMMANDS
    assert {name: counts for name, counts in theirs.items() if name != "stock"} == {
        name: counts for name, counts in ours.items() if name != "stock"
    }
    assert answer_bytes[0] == answer_bytes[1]
