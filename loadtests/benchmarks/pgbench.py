"""Runs pgbench with a script, with prepared statements, and finds its best number of clients."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from deploy.local.programs import postgres_programs
from loadtests.benchmarks.commands import CommandFailed, run_to_end
from loadtests.benchmarks.site import Site

_SCRIPTS: Final = Path(__file__).parent / "sql"
_TPS: Final = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)
_NONE_ENDED: Final = re.compile(r"^number of transactions actually processed: 0$", re.MULTILINE)
_MARGIN_S: Final = 20
# As the product's own connections ask for: without it a plan made for an empty table stays.
BY_KEY: Final = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
_THREADS: Final = 2


class PgbenchResult(Struct, frozen=True, kw_only=True):
    """Transactions a second, and the cores pgbench itself took, in all and of each thread."""

    tps: float
    cores: float
    thread_cores: float


async def run_script(
    site: Site, script: str, url: str, *, clients: int, seconds: int
) -> PgbenchResult:
    threads = min(clients, _THREADS)
    options = ("-n", "-M", "prepared", "-c", str(clients), "-j", str(threads))
    program = str(postgres_programs(None) / "pgbench")
    done = await run_to_end(
        (program, *options, "-T", str(seconds), "-f", str(_SCRIPTS / script), url),
        environment={**site.environment, "PGOPTIONS": BY_KEY},
        limit_s=seconds + _MARGIN_S,
    )
    return PgbenchResult(
        tps=rate_in(done.output), cores=done.cores, thread_cores=done.cores / threads
    )


def rate_in(output: str) -> float:
    """Return the rate that pgbench printed; it prints none when no transaction ended in time."""
    if _NONE_ENDED.search(output):
        return 0.0
    found = _TPS.search(output)
    if found is None:
        raise CommandFailed(f"pgbench printed no rate: {output[-400:]}")
    return float(found.group(1))


async def best_clients(site: Site, script: str, url: str, offered: Sequence[int]) -> int:
    """Try each number of clients for a moment and return the one with the highest rate."""
    rates = {
        clients: (
            await run_script(site, script, url, clients=clients, seconds=site.scale.sweep_s)
        ).tps
        for clients in offered
    }
    best = max(rates, key=lambda clients: rates[clients])
    tried = ", ".join(f"{clients}: {rate:,.0f}/s" for clients, rate in rates.items())
    site.say(f"  {script}: {tried}; {best} clients it is")
    return best
