"""The proof of the cursor: random writers and crashes; nothing lost, repeated or reordered."""

import asyncio
import os
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

import pytest

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.messaging.relay.relay import OutboxRelay
from libs.foundation.messaging.relay.session import Step
from libs.testkit.databases import Database
from tests.integration.messaging.relay_harness import (
    Recorder,
    change,
    make_aggregates,
    relay_settings,
    writing,
)

SECONDS: Final = float(os.environ.get("ORDERLY_ORDER_PROOF_SECONDS", "8"))
SEED: Final = int(os.environ.get("ORDERLY_ORDER_PROOF_SEED", str(random.randrange(10**6))))
KEYS: Final = [f"toy-{number}" for number in range(8)]
WRITERS: Final = 10
WINDOW_ROWS: Final = 7


class Crash(Exception):
    """The relay process died; nothing after this point was done."""


class Undone(Exception):
    """The writer changed its mind; its transaction rolls back."""


class Ledger:
    """What the writers committed."""

    def __init__(self) -> None:
        self.versions: Counter[str] = Counter()
        self.transactions = 0
        self.undone = 0

    def note(self, written: Sequence[tuple[str, int]]) -> None:
        self.transactions += 1
        for key, version in written:
            self.versions[key] = max(self.versions[key], version)

    @property
    def events(self) -> int:
        return self.versions.total()


async def _pause(tx: Transaction, chance: random.Random, longest_s: float) -> None:
    await tx.execute("SELECT pg_sleep(%(pause_s)s::float8)", pause_s=chance.random() * longest_s)


async def _write_once(connection: Connection, chance: random.Random, ledger: Ledger) -> None:
    written: list[tuple[str, int]] = []
    try:
        async with transaction(connection) as tx:
            if chance.random() < 0.5:
                # An id from before the locks: the order of ids is not the order of locks.
                await tx.execute("INSERT INTO toys.scratch VALUES (1)")
            await _pause(tx, chance, 0.01 if chance.random() < 0.9 else 0.3)
            for key in sorted(chance.sample(KEYS, chance.choice([1, 1, 2, 3]))):
                await _change_perhaps_nested(connection, tx, chance, key, written)
                await _pause(tx, chance, 0.004)
            if chance.random() < 0.1:
                raise Undone
    except Undone:
        ledger.undone += 1
        return
    ledger.note(written)


async def _change_perhaps_nested(
    connection: Connection,
    tx: Transaction,
    chance: random.Random,
    key: str,
    written: list[tuple[str, int]],
) -> None:
    if chance.random() < 0.3:
        with suppress(Undone):
            async with connection.transaction():
                version = await change(tx, key)
                if chance.random() < 0.3:
                    raise Undone
                written.append((key, version))
        return
    written.append((key, await change(tx, key)))


async def _write_until(database: Database, end_s: float, seed: int, ledger: Ledger) -> None:
    chance = random.Random(seed)
    async with writing(database) as connection:
        while monotonic() < end_s:
            await _write_once(connection, chance, ledger)


async def _hold_open(database: Database, written: asyncio.Event, end: asyncio.Event) -> None:
    """Keep one transaction open all along, with the lowest seq of all in it."""
    async with writing(database) as connection:
        await connection.execute("SET transaction_timeout = 0")
        await connection.execute("SET idle_in_transaction_session_timeout = 0")
        async with transaction(connection) as tx:
            await change(tx, "held-open")
            written.set()
            await end.wait()


class Crashes:
    """Lets a relay die at a random step now and then."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.at: Counter[Step] = Counter()
        self.armed = True

    def __call__(self, step: Step) -> None:
        likely = 0.002 if step is Step.POLLED else 0.03
        if self.armed and self._chance.random() < likely:
            self.at[step] += 1
            raise Crash

    @property
    def count(self) -> int:
        return self.at.total()


async def _relay_through_crashes(
    database: Database, recorder: Recorder, crashes: Crashes, stopping: asyncio.Event
) -> None:
    settings = relay_settings(
        database,
        window_rows_max=WINDOW_ROWS,
        window_bytes_max=400,
        backlog_rows_max=25,
        standby_poll_ms=5,
    )
    while not stopping.is_set():
        with suppress(Crash):
            await OutboxRelay(settings, recorder, reached=crashes).run(stopping)


@pytest.mark.slow
async def test_nothing_is_lost_or_reordered_and_only_a_crash_repeats(database: Database) -> None:
    async with writing(database) as connection:
        await make_aggregates(connection, [*KEYS, "held-open"])
    ledger, recorder, crashes = Ledger(), Recorder(), Crashes(SEED)
    held_open, release, stopping = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async with asyncio.TaskGroup() as group:
        group.create_task(_relay_through_crashes(database, recorder, crashes, stopping))
        holding = group.create_task(_hold_open(database, held_open, release))
        await held_open.wait()
        end_s = monotonic() + SECONDS
        async with asyncio.TaskGroup() as writers:
            for number in range(WRITERS):
                writers.create_task(_write_until(database, end_s, SEED + number, ledger))
        release.set()
        await holding
        ledger.note([("held-open", 1)])
        await recorder.until(lambda: len(recorder.firsts()) >= ledger.events)
        stopping.set()

    repeated = len(recorder.rows) - len(recorder.firsts())
    print(  # noqa: T201  # The figures of the proof.
        f"seed {SEED}: {ledger.transactions} transactions, {ledger.undone} undone,"
        f" {ledger.events} events, {crashes.count} crashes {dict(crashes.at)},"
        f" {repeated} repeated"
    )
    first_versions: dict[str, list[int]] = defaultdict(list)
    for key, version in recorder.firsts():
        first_versions[key].append(version)
    assert first_versions == {key: list(range(1, n + 1)) for key, n in ledger.versions.items()}
    assert repeated <= crashes.at[Step.PUBLISHED] * WINDOW_ROWS
    assert crashes.count > 0
    assert ledger.undone > 0
