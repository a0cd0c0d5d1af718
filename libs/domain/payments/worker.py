"""What the payments worker runs: its consumer, and beside it all that talks to the provider."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from libs.domain.payments.consumers import CONSUMER
from libs.domain.payments.dispatcher import Dispatcher
from libs.domain.payments.reconciler import Reconciler
from libs.domain.payments.settings import PaymentsSettings
from libs.domain.payments.settler import Settler
from libs.domain.payments.simulator_provider import SimulatorProvider
from libs.domain.payments.webhook_reader import WebhookReader
from libs.foundation.database.connections import Pool
from libs.foundation.messaging.definitions import Loop, WorkerDefinition


@asynccontextmanager
async def dispatching(pool: Pool, settings: PaymentsSettings) -> AsyncGenerator[Sequence[Loop]]:
    """Open the connections to the provider and give the loops that use them."""
    connector = aiohttp.TCPConnector(
        limit=settings.dispatch.concurrency_max, keepalive_timeout=30.0
    )
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        provider = SimulatorProvider(session, settings.provider)
        dispatcher = Dispatcher(pool, provider, settings.dispatch)
        reader = WebhookReader(pool, provider, settings.webhooks, settings.dispatch)
        reconciler = Reconciler(pool, provider, settings.reconciliation, settings.dispatch)
        settler = Settler(pool, provider, settings.dispatch, settings.reconciliation)
        yield (
            dispatcher.run,
            dispatcher.observe,
            reader.run,
            reader.keep_house,
            reconciler.run,
            settler.run,
        )


WORKER: Final = WorkerDefinition(
    consumer=CONSUMER, settings=PaymentsSettings, background=dispatching
)
