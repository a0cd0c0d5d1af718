"""`make load-steady`: one scenario on a fresh stack, its thresholds asserted, and a page about it.

LOAD_SCALE multiplies every rate, LOAD_MINUTES says how long a soak takes. It listens and sends on
loopback only, and stops what it started however it ends.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Final

from rich.console import Console

from deploy.local.layout import ROOT
from deploy.local.leftovers import AlreadyRunning
from loadtests.benchmarks.machine import describe
from loadtests.benchmarks.measurement import NotMeasured
from loadtests.benchmarks.scale import QUICK
from loadtests.benchmarks.site import open_site
from loadtests.interruption import interruptible
from loadtests.scenarios import page, report
from loadtests.scenarios.report import Report
from loadtests.scenarios.run import run
from loadtests.scenarios.scenario import Scenario, scenarios

_INTERRUPTED: Final = 130
_SOAK_MINUTES: Final = 15.0


async def load(folder: Path, scenario: Scenario, console: Console) -> Report:
    """Run a scenario, and write its reports to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    started_at, started_s = datetime.now(UTC), perf_counter()
    machine = describe(folder)
    console.print(f"{scenario.name}: {scenario.what}; {scenario.seconds:,.0f} s at most")
    async with open_site(folder / "servers", QUICK, console.print, needs_kafka=True) as site:
        outcome = await run(site, scenario)
    made = Report(
        scenario=scenario,
        started_at=started_at,
        seconds=round(perf_counter() - started_s, 1),
        machine=machine,
        outcome=outcome,
        knee=report.knee_of(outcome),
        verdicts=report.judged(outcome, report.thresholds_of(scenario.name)),
    )
    figures = folder / f"{scenario.name}.json"
    before = report.read(figures)
    report.write(made, figures)
    (folder / f"{scenario.name}.html").write_text(page.render(made, before), encoding="utf-8")
    return made


def _show(made: Report, console: Console) -> None:
    for verdict in made.verdicts:
        figure = verdict.reason if verdict.figure is None else f"{verdict.figure:,.4g}"
        mark = "held    " if verdict.holds else "NOT HELD"
        console.print(f"  {mark} {verdict.name:<20} {figure:>12}  at most {verdict.at_most:,.4g}")
    if made.knee is not None:
        console.print(f"  knee: {made.knee.rate:,.0f} orders/s")


async def main(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run until done or asked to stop, and return the exit status: 0 if every threshold held."""
    minutes = float(environ.get("LOAD_MINUTES") or _SOAK_MINUTES)
    known = {each.name: each for each in scenarios(float(environ.get("LOAD_SCALE") or 1), minutes)}
    parser = argparse.ArgumentParser(prog="python -m loadtests.scenarios", description=__doc__)
    parser.add_argument("scenario", choices=known)
    scenario = known[parser.parse_args(arguments).scenario]
    folder = Path(environ.get("LOAD_FOLDER") or ROOT / "var" / "load")
    console = Console(soft_wrap=True, highlight=False, width=120)
    # A topic made a moment ago has no leader yet: the client tries again, and says so each time.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        made = await interruptible(load(folder, scenario, console))
    except asyncio.CancelledError:
        console.print("Stopped; nothing is left running, and no report was written")
        return _INTERRUPTED
    except (AlreadyRunning, NotMeasured) as error:
        console.print(str(error))
        return 2
    _show(made, console)
    console.print(f"{folder / scenario.name}.html, {folder / scenario.name}.json")
    return 0 if made.passed else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:], os.environ)))
