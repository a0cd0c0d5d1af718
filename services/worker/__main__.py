"""Worker: consumes the messages of one context and runs its background loops."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Final

from libs.foundation.database.connections import open_pool
from libs.foundation.database.schema import schema_served
from libs.foundation.messaging.consumer.consumer import Consumer
from libs.foundation.messaging.definitions import WorkerDefinition
from libs.foundation.runtime.readiness import READY, Readiness
from libs.foundation.runtime.run import run
from libs.foundation.runtime.service import service
from libs.foundation.settings import load_settings
from services.worker.settings import WorkerSettings

# Modules, not definitions: a worker loads the code of its own context only.
WORKERS: Final = {
    "orders": "libs.domain.orders.worker",
    "inventory": "libs.domain.inventory.worker",
    "payments": "libs.domain.payments.worker",
}


async def main(context: str, environ: Mapping[str, str]) -> None:
    definition: WorkerDefinition[Any] = import_module(WORKERS[context]).WORKER
    read = partial(load_settings, environ=environ, prefix="WORKER_")
    settings = read(WorkerSettings, shares_prefix_with=[definition.settings])
    own_settings = read(definition.settings, shares_prefix_with=[WorkerSettings])
    name = definition.consumer.name
    async with service(name, settings.process, configuration=settings) as process:
        await schema_served(settings.database, process)
        async with (
            open_pool(settings.database, name, by_key=True) as pool,
            definition.background(pool, own_settings) as loops,
        ):
            consumer = Consumer(definition.consumer, settings.kafka, pool, settings.consumer)
            process.ready_when(lambda: readiness_of(consumer))
            await process.run_until_stopped(
                interruptible=[
                    consumer.run(process.stopping),
                    *(loop(process.stopping) for loop in loops),
                ]
            )


def readiness_of(consumer: Consumer) -> Readiness:
    problems = consumer.problems()
    return Readiness(ready=False, reason="; ".join(problems)) if problems else READY


def chosen(arguments: Sequence[str]) -> str:
    if len(arguments) != 1 or arguments[0] not in WORKERS:
        sys.exit(f"usage: python -m services.worker {'|'.join(WORKERS)}")
    return arguments[0]


if __name__ == "__main__":
    run(main(chosen(sys.argv[1:]), os.environ))
