"""`make bench`: every contender in interleaved rounds, then the report.

ONLY names rows, comma-separated; BENCH_QUICK=1 does less of everything. It listens and sends on
loopback only, and stops what it started however it ends.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Final

from rich.console import Console

from deploy.local.layout import ROOT
from deploy.local.leftovers import AlreadyRunning
from loadtests.benchmarks import page, report, summary
from loadtests.benchmarks.contenders import CONTENDERS
from loadtests.benchmarks.machine import describe
from loadtests.benchmarks.report import Report, Servers
from loadtests.benchmarks.rounds import needed_for, run_rounds
from loadtests.benchmarks.rows import UnknownRow, chosen
from loadtests.benchmarks.scale import FULL, QUICK, TINY, Scale
from loadtests.benchmarks.site import REPLICATION_FACTOR, Site, open_site
from loadtests.benchmarks.wrk import wrk_version
from loadtests.interruption import interruptible

_INTERRUPTED: Final = 130
_SCALES: Final = {"": FULL, "0": FULL, "1": QUICK, "tiny": TINY}


async def bench(folder: Path, only: str, scale: Scale, console: Console) -> Report:
    """Measure the rows named in `only`, or all, and write the reports to `folder`."""
    rows = chosen(name.strip() for name in only.split(",") if name.strip())
    contenders = [kind() for kind in needed_for(rows, CONTENDERS)]
    needs_kafka = any(each.needs_kafka for each in contenders)
    started_at, started_s = datetime.now(UTC), perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    machine = describe(folder)
    async with open_site(folder, scale, console.print, needs_kafka=needs_kafka) as site:
        outcome = await run_rounds(site, contenders)
        servers = await _servers(site)
    found = report.row_reports(rows, outcome, scale.rounds)
    made = Report(
        started_at=started_at,
        seconds=round(perf_counter() - started_s, 1),
        scale=scale,
        machine=machine,
        servers=servers,
        ratios=report.ratios_of(found),
        rows=found,
        contenders=report.contender_reports(contenders, outcome.samples, outcome.absent),
    )
    report.write(made, folder / "report.json")
    (folder / "report.html").write_text(page.render(made), encoding="utf-8")
    summary.show(made, console)
    console.print(f"{folder / 'report.html'}, {folder / 'report.json'}")
    return made


async def _servers(site: Site) -> Servers:
    return Servers(
        postgres=site.postgres_version,
        postgres_settings=site.postgres_settings,
        kafka=site.kafka_version,
        replication_factor=REPLICATION_FACTOR,
        generator=f"wrk {await wrk_version()}; aiokafka {version('aiokafka')} for events",
    )


async def main(environ: Mapping[str, str]) -> int:
    """Run until done or asked to stop, and return the exit status."""
    scale = _SCALES.get(environ.get("BENCH_QUICK", ""), QUICK)
    folder = Path(environ.get("BENCH_FOLDER", str(ROOT / "var" / "bench")))
    console = Console(soft_wrap=True, highlight=False, width=120)
    # A topic made a moment ago has no leader yet: the client tries again, and says so each time.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        made = await interruptible(bench(folder, environ.get("ONLY", ""), scale, console))
    except asyncio.CancelledError:
        console.print("Stopped; nothing is left running, and no report was written")
        return _INTERRUPTED
    except (UnknownRow, AlreadyRunning) as error:
        console.print(str(error))
        return 2
    return 0 if any(ratio is not None for ratio in made.ratios.values()) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(os.environ)))
