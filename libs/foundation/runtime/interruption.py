"""Ends a task that waits for something that may never answer."""

import asyncio
from collections.abc import Collection
from typing import Any, Final

_AGAIN_AFTER_S: Final = 0.5


async def interrupt(*tasks: asyncio.Task[Any]) -> None:
    """Cancel `tasks` and wait for their end, whatever they raise then.

    A cancelled statement asks the server to cancel it as well, and waits ten seconds for one that
    is frozen. A second cancellation closes its connection at once.
    """
    pending: Collection[asyncio.Task[Any]] = tasks
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_AFTER_S)
    await asyncio.gather(*tasks, return_exceptions=True)
