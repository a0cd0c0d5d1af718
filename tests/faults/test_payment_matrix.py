"""A provider that hangs after charging, killed workers, webhooks twice, late and out of order.

At the end both books say the same, and every order was charged at most once.
"""

import asyncio
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import zip_longest
from pathlib import Path
from random import Random
from typing import Any, Final

import psycopg
import pytest

from deploy.local.ports import free_port
from libs.contracts.payments import PaymentCommand
from libs.testkit.callers import Callers
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
from libs.testkit.faults import ServiceProcess, running
from libs.testkit.payments.simulator_process import SimulatorProcess, simulator_process
from libs.testkit.payments.webhook_inbox import SECRET
from tests.faults.payment_sales import Books, Fate, Sale, progress, read_books, sale
from tests.integration.payments.harness import Payments

ROOT: Final = Path(__file__).resolve().parents[2]
ORDERS: Final = 1_000
WAVE: Final = 250
KILLS: Final = 4
HANG_MS: Final = 30_000
_WITHIN_S: Final = 150.0
FAULTS: Final = (
    *(
        {"kind": "hang_after", "operation": operation, "ratio": 0.1, "delay_ms": HANG_MS}
        for operation in ("authorise", "capture", "release", "refund")
    ),
    *(
        {"kind": kind, "operation": operation, "ratio": 0.03, "delay_ms": 300, "seed": seed}
        for operation in ("authorise", "capture", "release", "refund", "lookup")
        for seed, kind in enumerate(
            ("accepted", "error_after", "reset_after", "garbled_after", "rate_limit")
        )
    ),
    {"kind": "webhook_twice", "ratio": 0.5, "seed": 6},
    {"kind": "webhook_late", "ratio": 0.2, "delay_ms": 1_000, "seed": 7},
    {"kind": "webhook_out_of_order", "ratio": 0.2, "delay_ms": 2_000, "seed": 8},
    {"kind": "webhook_lost", "ratio": 0.1, "seed": 9},
)


@pytest.mark.slow
@pytest.mark.timeout(300)  # On a machine that is busy with other tests.
async def test_both_books_are_equal_whatever_hangs_dies_or_is_told_twice(
    database: Database, payments: Payments, tmp_path: Path
) -> None:
    random = Random(11)
    sales = [sale(number) for number in range(ORDERS)]
    async with (
        await psycopg.AsyncConnection.connect(database.url, autocommit=True) as books_of_ours,
        api(database, tmp_path) as port,
        simulator(tmp_path, port) as provider,
    ):
        await provider.set_faults(*FAULTS)
        await deliver(payments, sales)
        for kill in range(1, KILLS + 1):
            until = random.randint(1, 2 * ORDERS * kill // (KILLS + 1))
            async with worker(database, provider) as doomed:
                await eventually(
                    lambda: progress(books_of_ours),
                    lambda seen, wanted=until: seen.called >= wanted,
                    within_s=_WITHIN_S,
                )
                await doomed.kill()
        async with worker(database, provider):
            await eventually(
                lambda: progress(books_of_ours), lambda seen: seen.left == 0, within_s=_WITHIN_S
            )
            code, report = await reconciled(database)
        objects, hits = await provider.objects(), await provider.fault_hits()

    books = read_books(database.url)
    charged_once(sales, objects)
    sums_agree(books, objects)
    every_object_is_known(books, objects)
    fates_are_met(sales, books)
    assert (code, report["differences"]) == (0, []), report
    sys.stdout.write(json.dumps(figures(books, objects, hits)) + "\n")


def charged_once(sales: Sequence[Sale], objects: Sequence[dict[str, Any]]) -> None:
    made = Counter(each["order_reference"] for each in objects if each["kind"] == "authorise")

    assert set(made) <= {str(each.order_id) for each in sales}
    assert [order_id for order_id, count in made.items() if count > 1] == []


def sums_agree(books: Books, objects: Sequence[dict[str, Any]]) -> None:
    """Compare both sides order by order; an object of an order we do not know fails it too."""
    there = {
        each["order_reference"]: (each["captured"], each["released"], each["refunded"])
        for each in objects
        if each["kind"] == "authorise" and each["status"] == "succeeded"
    }
    here = {
        order_id: (
            row["captured_minor"],
            row["released_minor"],
            row["returned_minor"] + row["refunded_minor"],
        )
        for order_id, row in books.payments.items()
        if row["authorised_minor"] > 0
    }

    assert here == there


def every_object_is_known(books: Books, objects: Sequence[dict[str, Any]]) -> None:
    there = {each["key"]: (each["amount"], each["status"]) for each in objects}
    here = {
        each["key"]: (each["amount_minor"], each["state"])
        for each in books.operations
        if each["kind"] != "release" and each["state"] in {"succeeded", "declined"}
    }

    assert here == there


def fates_are_met(sales: Sequence[Sale], books: Books) -> None:
    for each in sales:
        row = books.payments[str(each.order_id)]
        held = row["authorised_minor"] - row["captured_minor"] - row["released_minor"]
        kept = row["captured_minor"] - row["returned_minor"]
        assert held == 0, (each, row)
        match each.fate:
            case Fate.DECLINED | Fate.CANCELLED | Fate.RECALLED:
                assert kept == 0, (each, row)
            case Fate.SOLD | Fate.REFUNDED | Fate.PARTLY_SOLD:
                assert kept == row["planned_minor"] == row["due_minor"] > 0, (each, row)
        assert (row["refunded_minor"] > 0) is (each.fate is Fate.REFUNDED)


def figures(
    books: Books, objects: Sequence[dict[str, Any]], hits: Sequence[int]
) -> dict[str, object]:
    return {
        "orders": ORDERS,
        "kills": KILLS,
        "operations": len(books.operations),
        "attempts": sum(each["attempts"] for each in books.operations),
        "possibly executed": sum(each["possibly_executed"] for each in books.operations),
        "objects": len(objects),
        "faults": sum(hits),
        "webhooks": books.webhooks,
    }


async def deliver(payments: Payments, sales: Sequence[Sale]) -> None:
    """Hand over every command, in its order's order, before anything is called."""
    for step in zip_longest(*(each.commands for each in sales)):
        by_type: dict[str, list[PaymentCommand]] = defaultdict(list)
        for command in step:
            if command is not None:
                by_type[command.type].append(command)
        for commands in by_type.values():
            for wave in batched(commands, WAVE):
                await payments.deliver_wave(wave)


def batched(commands: Sequence[PaymentCommand], size: int) -> list[Sequence[PaymentCommand]]:
    return [commands[first : first + size] for first in range(0, len(commands), size)]


@asynccontextmanager
async def api(database: Database, folder: Path) -> AsyncGenerator[int]:
    port, side_port = free_port(), free_port()
    environment = {
        "API_DATABASE_URL": database.url_for("orderly_api"),
        "API_PORT": str(port),
        "API_PROCESS_SIDE_PORT": str(side_port),
        "API_AUTHENTICATION_ISSUERS": Callers(folder).settings.issuers,
        "API_CURSOR_SECRET": "of-this-test-alone-and-long-enough",
        "API_SIMULATOR_WEBHOOK_SECRETS": SECRET,
    }
    async with running("services.api", environment=environment, side_port=side_port):
        yield port


@asynccontextmanager
async def simulator(folder: Path, api_port: int) -> AsyncGenerator[SimulatorProcess]:
    environment = {
        "SIMULATOR_WEBHOOK_URL": f"http://127.0.0.1:{api_port}/v1/payment-webhooks/simulator",
        "SIMULATOR_WEBHOOK_SECRET": SECRET,
        "SIMULATOR_WEBHOOKS": "always",
    }
    async with simulator_process(folder / "ledger.sqlite", environment=environment) as process:
        yield process


@asynccontextmanager
async def worker(database: Database, provider: SimulatorProcess) -> AsyncGenerator[ServiceProcess]:
    """Run the payments worker; no broker listens, so that only its loops work."""
    environment = {
        "WORKER_DATABASE_URL": database.url_for("orderly_worker_payments"),
        "WORKER_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "WORKER_PROVIDER_URL": provider.url,
        "WORKER_PROCESS_SIDE_PORT": "0",
        "WORKER_DISPATCH_CALL_TIMEOUT_MS": "500",
        "WORKER_DISPATCH_RECOVERY_MS": "1000",
        "WORKER_DISPATCH_ACCEPTED_POLL_MS": "200",
        "WORKER_DISPATCH_RETRY_AFTER_MAX_MS": "100",
        "WORKER_DISPATCH_BREAKER_SAMPLES_MIN": "1000000",
        "WORKER_DISPATCH_RETRY_TOKENS_MAX": "1000000",
        "WORKER_DISPATCH_BACKOFF_CAP_MS": "500",
        "WORKER_RECONCILIATION_DEAD_AFTER_S": "1",
    }
    async with running(
        "services.worker", "payments", environment=environment, side_port=0, ready=False
    ) as child:
        yield child


async def reconciled(database: Database) -> tuple[int, dict[str, Any]]:
    """Ask for a comparison as an operator does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.operator", "payments", "reconcile", "--json"),
        *("--reason", "end of the matrix", "--by", "ada"),
        cwd=ROOT,
        env={**os.environ, "OPERATOR_DATABASE_URL": database.url_for("orderly_operator")},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, json.loads(output)
