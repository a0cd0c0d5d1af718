"""Ends a run in an orderly way when it is asked to stop."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def interruptible(run: Coroutine[Any, Any, T]) -> T:
    """Return what `run` returns; SIGTERM and Ctrl-C cancel it once, and CancelledError is raised.

    A second signal must not cut the cleaning up short.
    """
    running = asyncio.create_task(run)
    asked = asyncio.Event()

    def stop() -> None:
        if not asked.is_set():
            asked.set()
            running.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return await running
