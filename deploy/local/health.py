"""Asks a process on its side port whether it is ready."""

from http import HTTPStatus
from typing import Final

import aiohttp

_TIMEOUT: Final = aiohttp.ClientTimeout(total=2)


async def answers_ok(url: str) -> bool:
    """Say whether a GET of `url` answers 200; a process that does not listen yet is not ready."""
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, session.get(url) as response:
            return response.status == HTTPStatus.OK
    except (aiohttp.ClientError, TimeoutError):
        return False
