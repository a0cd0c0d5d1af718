"""Payment simulator: a provider with its own ledger, for development, demos and load only."""

import asyncio
import os
from collections.abc import Mapping

from libs.foundation.observability.logs import get_logger
from libs.foundation.runtime.run import run
from libs.foundation.runtime.service import service
from libs.foundation.settings import load_settings
from services.payment_simulator.faults import FaultPlan
from services.payment_simulator.ledger import open_ledger
from services.payment_simulator.routes import application, serving
from services.payment_simulator.settings import SimulatorSettings
from services.payment_simulator.webhooks import open_webhooks

_log = get_logger(__name__)


async def main(environ: Mapping[str, str]) -> None:
    settings = load_settings(SimulatorSettings, environ, prefix="SIMULATOR_")
    async with (
        service("payment-simulator", settings.process, configuration=settings) as process,
        open_ledger(settings.ledger_path) as ledger,
        open_webhooks(settings) as webhooks,
        serving(application(ledger, FaultPlan(), webhooks), settings) as url,
    ):
        _log.info("payment_simulator_listening", url=url)
        await process.run_until_stopped(_until(process.stopping))


async def _until(stopping: asyncio.Event) -> None:
    await stopping.wait()


if __name__ == "__main__":
    run(main(os.environ))
