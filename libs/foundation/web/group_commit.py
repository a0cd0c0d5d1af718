"""Group commit: many requests, each under its own idempotency key, share one transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from msgspec import Struct

from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction
from libs.foundation.errors import AppError
from libs.foundation.observability import metrics
from libs.foundation.observability.logs import get_logger
from libs.foundation.web.batcher import Batcher
from libs.foundation.web.flush import Entry, Flush
from libs.foundation.web.idempotency import Claim
from libs.foundation.web.refusals import IdempotencyKeyReused, Overloaded
from libs.foundation.web.reply import Reply, replayed

C = TypeVar("C")
Act = Callable[[Transaction, Sequence[C]], Awaitable[Sequence[Reply | AppError]]]

_BATCH_SIZE: Final = metrics.histogram(
    "group_commit_batch_size", "Requests per flush.", buckets=metrics.SIZE_BUCKETS
)
_WAITING: Final = metrics.gauge(
    "group_commit_waiting", "Requests that waited when the last flush began."
)
_FLUSHED_S: Final = 1.0
_log: Final = get_logger(__name__)


class GroupCommitSettings(Struct, frozen=True, kw_only=True):
    """Bounds of the batcher; a twin in another process is waited for `twin_wait_ms`."""

    flush_max: int = 128
    """Most requests in one transaction."""
    flushes_max: int = 2
    """Most transactions in flight; each holds one connection."""
    waiting_max: int = 256
    """Most requests waiting for a flush; further ones are answered 503."""
    deadline_ms: int = 6_000
    """Longest time from acceptance to answer; then 503 if it was not begun, else 504."""
    twin_wait_ms: int = 1_000
    """Longest wait for another process that works under the same key; then 409."""
    twin_poll_ms: int = 20
    """Time between two looks at a key that another process holds."""

    def __post_init__(self) -> None:
        if self.twin_wait_ms >= self.deadline_ms:
            raise ValueError("twin_wait_ms < deadline_ms must hold")


class GroupCommit(Generic[C]):
    """Runs `act` on batches of commands and answers each request after the COMMIT.

    `act` gets the commands whose keys are new and returns one reply or refusal for each, in
    order. Replies are stored under their keys in the same transaction, refusals are not.
    """

    def __init__(self, pool: Pool, act: Act[C], settings: GroupCommitSettings) -> None:
        self._pool = pool
        self._act = act
        self._settings = settings
        self._open: dict[tuple[str, ...], Entry[C]] = {}
        self._batcher: Batcher[Entry[C]] = Batcher(
            self._flush,
            flush_max=settings.flush_max,
            flushes_max=settings.flushes_max,
            waiting_max=settings.waiting_max,
        )

    @property
    def full(self) -> bool:
        """Whether a new request would be refused: the first layer sheds by it."""
        return self._batcher.full

    async def submit(self, claim: Claim, command: C) -> Reply:
        """Return the reply of the committed request; raise its refusal."""
        while (twin := self._open.get(claim.name)) is not None:
            outcome = await asyncio.shield(twin.settled)
            if isinstance(outcome, Reply):
                return _twin_reply(twin.claim, claim, outcome)
            if twin.claim.fingerprint == claim.fingerprint:
                raise outcome
            # The other request was refused, so that its key is free for this one.
        if self._batcher.full:
            raise Overloaded
        entry = self._accept(claim, command)
        outcome = await asyncio.shield(entry.settled)
        if isinstance(outcome, Reply):
            return outcome
        raise outcome

    def _accept(self, claim: Claim, command: C) -> Entry[C]:
        entry = Entry(claim, command, self._settings.deadline_ms / 1_000)
        self._open[claim.name] = entry
        entry.settled.add_done_callback(lambda _: self._open.pop(claim.name, None))
        self._batcher.add(entry)
        return entry

    async def drained(self) -> None:
        """Wait until every accepted request is answered; each has a deadline.

        A flush that is under way after that hangs in a database that does not answer. Those who
        waited for it know that nobody knows, so it may be interrupted.
        """
        while self._open:
            await asyncio.wait([entry.settled for entry in self._open.values()])
        await self._batcher.flushed(_FLUSHED_S)

    async def _flush(self, batch: list[Entry[C]]) -> None:
        entries = [entry for entry in batch if entry.begin()]
        _BATCH_SIZE.observe(len(entries))
        _WAITING.set(self._batcher.waiting)
        try:
            await Flush(self._pool, self._act, self._look_again).run(entries)
        except Exception as error:  # noqa: BLE001 - each waiting request gets it as its outcome.
            _log.exception("group_commit_failed", requests=len(entries))
            for entry in entries:
                entry.settle(error)

    def _look_again(self, entry: Entry[C]) -> bool:
        """Put a request whose twin is elsewhere back for a later flush, unless it waited enough."""
        loop = asyncio.get_running_loop()
        if not entry.may_wait_for_twin(loop.time(), self._settings.twin_wait_ms / 1_000):
            return False
        loop.call_later(self._settings.twin_poll_ms / 1_000, self._batcher.add, entry)
        return True


def _twin_reply(first: Claim, second: Claim, answer: Reply) -> Reply:
    if first.fingerprint != second.fingerprint:
        raise IdempotencyKeyReused
    return replayed(answer)
