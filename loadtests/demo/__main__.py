"""`make demo`: start a stack, replay the log, break things halfway, balance the books."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import aiohttp
from rich.console import Console

from deploy.local.stack import Stack
from loadtests.demo import evidence, report
from loadtests.demo.checks import CHECKS, Evidence
from loadtests.demo.disruption import Killed, disrupt, measure
from loadtests.demo.plan import Plan, make_plan
from loadtests.demo.progress import Board
from loadtests.demo.purchases import Log, fetch, parse
from loadtests.demo.replay import Sent, replay, stock_the_shop
from loadtests.demo.settling import wait_until_settled, watch
from loadtests.demo.shop import REQUEST_TIMEOUT_S, Shop

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "var" / "demo"
ORDERS_DEFAULT: Final = "5000"
SEED: Final = 1997
# Every order can be followed through all processes.
TRACED: Final = {
    f"{prefix}_PROCESS_TRACE_SAMPLE_RATIO": "1"
    for prefix in ("API", "RELAY", "WORKER", "SIMULATOR")
}


async def main(environ: Mapping[str, str], console: Console) -> int:
    """Run the demo and return the exit code: 0 only if every check held."""
    log, plan = _planned(environ.get("DEMO_ORDERS", ORDERS_DEFAULT), console)
    console.print("Starting PostgreSQL, Kafka and the services ...")
    async with Stack.started(FOLDER / "stack", env_overrides=TRACED, report=console.print) as stack:
        console.print(f"The stack is ready: API at {stack.api_url}")
        with Board(console, plan) as board:
            sent, killed, timings = await _run(stack, plan, board)
        console.print("Reading the books ...")
        books = await _books(stack, plan, sent)
        takeover = await measure(stack.database_url, killed)
    verdicts = [check(books) for check in CHECKS]
    found = report.make_report(books, verdicts, killed, takeover, timings, log.skipped)
    report.write(found, FOLDER / "report.json")
    report.show(found, console)
    return 0 if found.passed else 1


def _planned(wanted: str, console: Console) -> tuple[Log, Plan]:
    """Read the log and plan the first `wanted` orders, or all of them."""
    if wanted != "all" and not (wanted.isdecimal() and int(wanted) > 0):
        raise SystemExit(f"DEMO_ORDERS={wanted}: expected a positive number or `all`")
    console.print("Reading the CDNOW purchase log ...")
    log = parse(fetch(FOLDER.parent / "cache" / "demo"))
    plan = make_plan(log.purchases if wanted == "all" else log.purchases[: int(wanted)])
    for skipped in log.skipped:
        console.print(f"skipped row {skipped.row}: {skipped.reason}: {skipped.text}")
    return log, plan


async def _run(stack: Stack, plan: Plan, board: Board) -> tuple[list[Sent], Killed, report.Timings]:
    """Stock the shop, replay, break things halfway, wait for the last order."""
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        shop = Shop(session, stack.api_url, stack.staff_token, SEED)
        await stock_the_shop(shop, plan, board.stocked)
        halfway = _Halfway(stack, len(plan.orders), board)
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch(stack.database_url, board))
            sent = await replay(shop, plan, halfway.answered)
            watching.cancel()
        replayed = time.monotonic()
    killed = await halfway.killed()
    await wait_until_settled(stack.database_url, board)
    timings = report.Timings(
        replay_s=round(replayed - started, 1), until_final_s=round(time.monotonic() - replayed, 1)
    )
    return sent, killed, timings


class _Halfway:
    """Starts the disruption when half of the orders are answered, while the rest goes on."""

    def __init__(self, stack: Stack, orders: int, board: Board) -> None:
        self._stack = stack
        self._left = max(1, orders // 2)
        self._board = board
        self._task: asyncio.Task[Killed] | None = None

    def answered(self, _: Sent) -> None:
        """Count one answer."""
        self._board.accepted()
        self._left -= 1
        if self._left == 0:
            self._task = asyncio.create_task(self._disrupt())

    async def killed(self) -> Killed:
        """Return what was killed."""
        if self._task is None:
            raise RuntimeError("the disruption was never started")
        return await self._task

    async def _disrupt(self) -> Killed:
        stack = self._stack
        killed = await disrupt(stack.database_url, stack.relay_named, stack.kill)
        self._board.note(f"killed {killed.relay} and {killed.worker} with SIGKILL")
        return killed


async def _books(stack: Stack, plan: Plan, sent: Sequence[Sent]) -> Evidence:
    """Read tables, topics and the provider's ledger."""
    return Evidence(
        plan=plan,
        sent=sent,
        database=await evidence.read_database(stack.database_url),
        records=await evidence.read_topics(stack.kafka_bootstrap, evidence.TOPICS),
        ledger=await evidence.read_ledger(stack.payment_simulator_url),
    )


def _console() -> Console:
    """Print wide lines into a file or a pipe, where rich would assume 80 columns."""
    return Console() if sys.stdout.isatty() else Console(width=120)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(os.environ, _console())))
