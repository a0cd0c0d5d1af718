"""What the worker of orders runs: its consumer and its two timers."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from msgspec import Struct, field

from libs.domain.orders.completions import CompletionsSettings, completions
from libs.domain.orders.consumers import CONSUMER
from libs.domain.orders.late_steps import LateStepsSettings, late_steps
from libs.foundation.database.connections import Pool
from libs.foundation.messaging.definitions import Loop, WorkerDefinition


class OrdersWorkerSettings(Struct, frozen=True, kw_only=True):
    """What the worker of orders needs beyond what every worker has."""

    late_steps: LateStepsSettings = field(default_factory=LateStepsSettings)
    completions: CompletionsSettings = field(default_factory=CompletionsSettings)


@asynccontextmanager
async def _background(pool: Pool, settings: OrdersWorkerSettings) -> AsyncGenerator[Sequence[Loop]]:
    yield (
        late_steps(pool, settings.late_steps).run,
        completions(pool, settings.completions).run,
    )


WORKER: Final = WorkerDefinition(
    consumer=CONSUMER, settings=OrdersWorkerSettings, background=_background
)
