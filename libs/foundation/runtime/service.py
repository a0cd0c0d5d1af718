"""Sets up what every process has, and takes it down again at its end."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from msgspec import Struct

from libs.foundation.observability import logs, metrics, tracing
from libs.foundation.observability.trace_export import close_provider, open_collector
from libs.foundation.runtime.process import Process
from libs.foundation.runtime.side_port import open_side_port
from libs.foundation.settings import ProcessSettings, describe
from libs.foundation.version import build

_log: Final = logs.get_logger(__name__)

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_TRACE_CLOSING_MAX_S: Final = 3.0


@asynccontextmanager
async def service(
    name: str, settings: ProcessSettings, *, configuration: Struct | None = None
) -> AsyncGenerator[Process]:
    """Open logs, traces, metrics, signals and the side port of one process.

    `configuration` is the whole of its settings, logged with secrets hidden. To be entered
    first, so that it is left last and the side port answers while everything else closes.
    """
    logs.configure(settings.log_level, settings.log_format)
    metrics.show_build(name)
    process = Process(name, settings)
    metrics.show_readiness(lambda: not process.reasons_not_ready())
    try:
        with _traces(name, settings), _loop_errors():
            async with open_side_port(process, settings) as side_url, _life(process):
                _log_start(name, side_url, configuration)
                yield process
        _log.info("process_ended")
    finally:
        process.unbound_end()


@asynccontextmanager
async def _life(process: Process) -> AsyncGenerator[None]:
    try:
        with _signals(process):
            yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not process.was_stopped_at_start or task is None:
            raise
        # The signal cancelled the start and nothing failed: take the cancellation back.
        task.uncancel()
    finally:
        process.begin_closing()


def _log_start(name: str, side_url: str, configuration: Struct | None) -> None:
    about = build()
    _log.info(
        "process_starting",
        process=name,
        version=about.version,
        commit=about.commit,
        side_url=side_url,
        settings={} if configuration is None else describe(configuration),
    )


@contextmanager
def _traces(name: str, settings: ProcessSettings) -> Generator[None]:
    endpoint = settings.otlp_endpoint
    provider = None if endpoint is None else open_collector(name, endpoint)
    tracing.use_provider(provider, settings.trace_sample_ratio)
    try:
        yield
    finally:
        tracing.use_provider(None, 0.0)
        if provider is not None:
            close_provider(provider, _TRACE_CLOSING_MAX_S)


@contextmanager
def _signals(process: Process) -> Generator[None]:
    loop = asyncio.get_running_loop()
    for each in _SIGNALS:
        loop.add_signal_handler(each, process.on_signal, each.value, each.name)
    try:
        yield
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)


@contextmanager
def _loop_errors() -> Generator[None]:
    """Log what the event loop would print: errors of tasks and callbacks nobody waits for."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(_log_loop_error)
    try:
        yield
    finally:
        loop.set_exception_handler(before)


def _log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    _log.error(
        "event_loop_error", message=context.get("message"), exc_info=context.get("exception")
    )
