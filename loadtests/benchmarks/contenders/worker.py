"""The inventory worker as a process, over commands that lie ready in Kafka."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any, ClassVar, Final

import aiohttp
import msgspec
from aiokafka import AIOKafkaProducer

from libs.contracts.inventory import ReserveStock, StockItem
from libs.foundation.database.connections import open_connection
from libs.foundation.ids import new_id
from loadtests.benchmarks import drain, refusals
from loadtests.benchmarks.contender import Contender
from loadtests.benchmarks.contenders.api import open_shop
from loadtests.benchmarks.events import PARTITIONS, headers_of
from loadtests.benchmarks.installation import Installation, pid_of, product_topics
from loadtests.benchmarks.measurement import Measurement
from loadtests.benchmarks.site import Site, server_settings
from loadtests.benchmarks.sql import catalogue, counts

_PROCESS: Final = "worker-inventory"
_BATCH: Final = 250
_SLOWEST_COMMANDS_A_SECOND: Final = 200
_START_S: Final = 60
# A scrape costs the worker a millisecond or two.
_SCRAPE_S: Final = 0.1
_HANDLED: Final = re.compile(
    r'^consumer_messages_total\{outcome="handled",type="inventory\.reserve_stock\.v1"\} (\S+)$',
    re.MULTILINE,
)

Items = Callable[[Random], tuple[StockItem, ...]]


def two_items(random: Random) -> tuple[StockItem, ...]:
    """Two different SKUs, as an ordinary order has."""
    half = catalogue.SKUS // 2
    return (
        StockItem(sku=f"CD-{random.randint(1, half)}", quantity=1),
        StockItem(sku=f"CD-{random.randint(half + 1, catalogue.SKUS)}", quantity=1),
    )


def one_item(random: Random) -> tuple[StockItem, ...]:
    return (StockItem(sku=f"CD-{random.randint(1, catalogue.SKUS)}", quantity=1),)


def hot_item(random: Random) -> tuple[StockItem, ...]:
    del random
    return (StockItem(sku=catalogue.HOT_SKU, quantity=1),)


class _WorkerContender(Contender):
    needs_kafka: ClassVar[bool] = True
    turn_s: ClassVar[float] = 300
    _installation: Installation

    async def prepare(self, site: Site) -> None:
        self._installation = await open_shop(site, self.name)
        self.settings = {
            "commands": f"{site.scale.commands:,}, all in Kafka before the worker starts",
            "process": "every default: batches of 500, three partitions at a time",
        }

    async def handled_rate(
        self, site: Site, items: Items
    ) -> tuple[float, dict[str, float], str | None]:
        """Let the worker handle a topic full of commands; return a refusal, too, if any."""
        commands = site.scale.commands
        before = await self._held()
        async with product_topics(site):
            await _send(site.kafka.bootstrap, commands, items)
            async with self._installation.spawned(_PROCESS) as services:
                worker = services[_PROCESS]
                cpu = site.watch_cpu(worker=pid_of(worker))
                seen = await drain.watch(
                    lambda: _handled(worker.side_url),
                    commands,
                    limit_s=_START_S + commands / _SLOWEST_COMMANDS_A_SECOND,
                    worker=worker,
                    poll_s=_SCRAPE_S,
                )
                facts = cpu.cores()
        held = await self._held() - before
        return drain.rate_of(seen), facts, refusals.uncounted(commands, held, 0)

    async def _held(self) -> int:
        url = self._installation.database.url
        async with open_connection(server_settings(url), "benchmark") as connection:
            return await counts.held(connection)


class Worker(_WorkerContender):
    """Inbox, reservation, stock, ledger and the answer, for each command."""

    name: ClassVar[str] = "worker"
    unit: ClassVar[str] = "commands"
    what: ClassVar[str] = "the inventory worker: reserve two of 1,000 SKUs a command"

    async def measure(self, site: Site, number: int) -> Measurement:
        del number
        rate, facts, refused = await self.handled_rate(site, two_items)
        if refused is not None:
            return Measurement(refused={"rate": refused}, facts=facts)
        return Measurement(figures={"rate": rate}, facts=facts)


class HotWorker(_WorkerContender):
    """The same, over one SKU, and over 1,000 to compare with."""

    name: ClassVar[str] = "worker_hot"
    unit: ClassVar[str] = "commands"
    what: ClassVar[str] = "the inventory worker: reserve one SKU a command, always the same one"

    async def measure(self, site: Site, number: int) -> Measurement:
        del number
        spread, _, spread_refused = await self.handled_rate(site, one_item)
        hot, facts, hot_refused = await self.handled_rate(site, hot_item)
        measured = Measurement(facts=facts)
        for name, rate, refused in (
            ("rate", hot, hot_refused),
            ("spread_rate", spread, spread_refused),
        ):
            if refused is None:
                measured.figures[name] = rate
            else:
                measured.refused[name] = refused
        return measured


async def _send(bootstrap: str, commands: int, items: Items) -> None:
    """Put the commands into the topic, spread over its partitions."""
    random = Random(7)
    producer: Any = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=524_288
    )
    async with producer:
        for number, start in enumerate(range(0, commands, _BATCH)):
            batch = producer.create_batch()
            for _ in range(min(_BATCH, commands - start)):
                command = ReserveStock(order_id=new_id(), items=items(random))
                batch.append(
                    key=command.subject.encode(),
                    value=msgspec.json.encode(command),
                    timestamp=None,
                    headers=_headers(command),
                )
            topic = ReserveStock.topic.name
            await (await producer.send_batch(batch, topic, partition=number % PARTITIONS))


def _headers(command: ReserveStock) -> list[tuple[str, bytes]]:
    return headers_of(
        identifier=str(new_id()).encode(),
        type_=command.type.encode(),
        source=command.source.encode(),
        subject=command.subject.encode(),
        time=datetime.now(UTC).isoformat().encode(),
        sequence=b"0000000001",
    )


async def _handled(side_url: str) -> int:
    """Read the worker's own count; a worker that does not listen yet has handled nothing."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{side_url}/metrics") as answer:
            found = _HANDLED.search(await answer.text())
    except aiohttp.ClientError:
        return 0
    return int(float(found.group(1))) if found else 0
