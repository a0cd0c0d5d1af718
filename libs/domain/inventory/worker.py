"""What the worker of inventory runs: its consumer, and nothing in the background."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from msgspec import Struct

from libs.domain.inventory.consumers import CONSUMER
from libs.foundation.database.connections import Pool
from libs.foundation.messaging.definitions import Loop, WorkerDefinition


class InventoryWorkerSettings(Struct, frozen=True, kw_only=True):
    """The worker of inventory needs nothing beyond what every worker has."""


@asynccontextmanager
async def _background(
    _pool: Pool, _settings: InventoryWorkerSettings
) -> AsyncGenerator[Sequence[Loop]]:
    yield ()


WORKER: Final = WorkerDefinition(
    consumer=CONSUMER, settings=InventoryWorkerSettings, background=_background
)
