"""Writes an audited request for the process that owns the rows, and waits for its outcome."""

import asyncio
from getpass import getuser
from typing import Final
from uuid import UUID

from msgspec import Struct
from rich.console import Console

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import transaction
from libs.foundation.ids import new_id
from libs.foundation.messaging.sql import operator_requests

_LOOK_S: Final = 0.2
EXIT_FINISHED: Final = 0
EXIT_REFUSED: Final = 1
EXIT_WAITING: Final = 3
EXIT_DIFFERENT: Final = 4


class Wish(Struct, frozen=True, kw_only=True):
    """What is asked of whom; `by` is the caller's login when it is not given."""

    owner: str
    verb: str
    topic: str | None = None
    key: str | None = None
    reason: str
    by: str | None = None
    expected_version: int | None = None


async def ask(connection: Connection, wish: Wish) -> UUID:
    """Write the request and return its id."""
    request_id = new_id()
    async with transaction(connection) as tx:
        await operator_requests.insert(
            tx,
            request_id=request_id,
            owner=wish.owner,
            verb=wish.verb,
            topic=wish.topic,
            key=wish.key,
            requested_by=wish.by or getuser(),
            reason=wish.reason,
            expected_version=wish.expected_version,
        )
    return request_id


async def ask_and_wait(
    connection: Connection, wish: Wish, *, wait_s: float, console: Console
) -> int:
    """Ask, show what comes of it, and return the exit code."""
    request_id = await ask(connection, wish)
    console.print(f"request {request_id}: {wish.verb} asked of {wish.owner}")
    outcome = await outcome_of(connection, request_id, wait_s=wait_s)
    if outcome is None:
        console.print(f"not finished within {wait_s:g} s; it stays asked for: is {wish.owner} up?")
        return EXIT_WAITING
    console.print(outcome)
    return EXIT_REFUSED if was_refused(outcome) else EXIT_FINISHED


async def outcome_of(connection: Connection, request_id: UUID, *, wait_s: float) -> str | None:
    """Return what came of a request, or None when that is not known in time."""
    try:
        async with asyncio.timeout(wait_s):
            return await _outcome(connection, request_id)
    except TimeoutError:
        return None


def was_refused(outcome: str) -> bool:
    """Say whether these are an owner's words for a request not carried out to its end."""
    return outcome.startswith(("stopped", "refused"))


async def _outcome(connection: Connection, request_id: UUID) -> str:
    while True:
        async with transaction(connection) as tx:
            progress = await operator_requests.progress(tx, request_id)
        if progress is not None and progress.finished_at is not None:
            return progress.outcome or "finished"
        await asyncio.sleep(_LOOK_S)
