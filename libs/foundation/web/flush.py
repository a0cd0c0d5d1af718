"""One flush of a group commit: its transaction, and what a failure of it means to each request."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests

from libs.foundation.database import failures
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.errors import AppError
from libs.foundation.observability.logs import get_logger
from libs.foundation.web.idempotency import Claim, checked_replay
from libs.foundation.web.refusals import IdempotencyInProgress, OutcomeUnknown, Overloaded
from libs.foundation.web.reply import Reply
from libs.foundation.web.sql import idempotency_keys as keys
from libs.foundation.web.sql.idempotency_keys import Verdict

C = TypeVar("C")
Outcome = Reply | Exception

_LOCK_NOT_AVAILABLE: Final = "55P03"
# Deadlock and serialisation: rolled back by the server, and likely to pass at once.
_ROLLED_BACK_CLASS: Final = "40"
_log: Final = get_logger(__name__)


class Entry(Generic[C]):
    """One accepted request on its way to a commit; settled exactly once."""

    def __init__(self, claim: Claim, command: C, deadline_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.claim = claim
        self.command = command
        self.settled: asyncio.Future[Outcome] = loop.create_future()
        self._begun = False
        self.commit_unknown = False
        self._twin_seen_at: float | None = None
        self._timer = loop.call_later(deadline_s, self._expire)

    def begin(self) -> bool:
        """Mark the request as begun; False when its deadline passed while it waited."""
        self._begun = True
        return not self.settled.done()

    def settle(self, outcome: Outcome) -> None:
        self._timer.cancel()
        if not self.settled.done():
            self.settled.set_result(outcome)

    def refuse(self, refusal: Exception) -> None:
        """Settle with `refusal`, or with OutcomeUnknown if an earlier commit may have passed."""
        self.settle(OutcomeUnknown() if self.commit_unknown else refusal)

    def may_wait_for_twin(self, now_s: float, wait_s: float) -> bool:
        """Say whether the request may look again; the wait counts from the first look."""
        if self._twin_seen_at is None:
            self._twin_seen_at = now_s
        return not self.settled.done() and now_s - self._twin_seen_at < wait_s

    def _expire(self) -> None:
        self.settle(OutcomeUnknown() if self._begun else Overloaded("it waited too long"))


class Flush(Generic[C]):
    """Commits entries together, and finds out which of them cannot be."""

    def __init__(
        self,
        pool: Pool,
        act: Callable[[Transaction, Sequence[C]], Awaitable[Sequence[Reply | AppError]]],
        look_again: Callable[[Entry[C]], bool],
    ) -> None:
        self._pool = pool
        self._act = act
        self._look_again = look_again

    async def run(self, entries: Sequence[Entry[C]]) -> None:
        """Settle every entry, or leave it to `look_again`."""
        if not entries:
            return
        try:
            await self._attempt(entries)
        except (psycopg.Error, PoolTimeout, TooManyRequests) as error:
            await self._after_failure(entries, error)

    async def _after_failure(self, entries: Sequence[Entry[C]], error: Exception) -> None:
        if _names_a_row(error):
            await self._divide(entries, error)
        elif _may_pass_at_once(error):
            await self._repeat(entries, error)
        else:
            _refuse_all(entries, error)

    async def _divide(self, entries: Sequence[Entry[C]], error: Exception) -> None:
        """Halve until the request that fails stands alone; its neighbours pass."""
        if len(entries) > 1:
            middle = len(entries) // 2
            await self.run(entries[:middle])
            await self.run(entries[middle:])
        elif _sqlstate(error) == _LOCK_NOT_AVAILABLE:
            entries[0].refuse(IdempotencyInProgress())
        else:
            _log.error("request_fails_alone", **failures.facts(error))
            entries[0].refuse(error)

    async def _repeat(self, entries: Sequence[Entry[C]], error: Exception) -> None:
        """Run once more under the same keys: if the lost COMMIT passed, the claim tells."""
        _log.warning("flush_repeated", requests=len(entries), **failures.facts(error))
        if failures.is_connection_lost(error):
            # The others of the pool were likely lost at the same moment.
            await self._pool.check()
        try:
            await self._attempt(entries)
        except (psycopg.Error, PoolTimeout, TooManyRequests) as second:
            if _names_a_row(second):
                await self._divide(entries, second)
            else:
                _refuse_all(entries, second)

    async def _attempt(self, entries: Sequence[Entry[C]]) -> None:
        commit_sent = False
        try:
            async with transaction(self._pool) as tx:
                outcomes = await self._outcomes(tx, entries)
                commit_sent = True
        except psycopg.Error as error:
            if commit_sent and failures.is_connection_lost(error):
                for entry in entries:
                    entry.commit_unknown = True
            raise
        for entry, outcome in zip(entries, outcomes, strict=True):
            if outcome is not None:
                entry.settle(outcome)
            elif not self._look_again(entry):
                entry.refuse(IdempotencyInProgress())

    async def _outcomes(self, tx: Transaction, entries: Sequence[Entry[C]]) -> list[Outcome | None]:
        """Return what each request comes to once this transaction commits; None is a busy key."""
        claims = [entry.claim for entry in entries]
        verdicts = await keys.claim_at_once(tx, claims)
        outcomes: list[Outcome | None] = [None] * len(entries)
        new = [index for index, verdict in enumerate(verdicts) if verdict is Verdict.CLAIMED]
        taken = [index for index, verdict in enumerate(verdicts) if verdict is Verdict.TAKEN]
        if taken:
            stored = await keys.stored(tx, [claims[index] for index in taken])
            for answer in stored:
                index = taken[answer.position - 1]
                outcomes[index] = _replay(claims[index], answer)
        if new:
            results = await self._act(tx, [entries[index].command for index in new])
            await _store(tx, [claims[index] for index in new], results)
            for index, result in zip(new, results, strict=True):
                outcomes[index] = result
        return outcomes


async def _store(
    tx: Transaction, claims: Sequence[Claim], results: Sequence[Reply | AppError]
) -> None:
    paired = list(zip(claims, results, strict=True))
    answered = [(claim, result) for claim, result in paired if isinstance(result, Reply)]
    refused = [claim for claim, result in paired if not isinstance(result, Reply)]
    if answered:
        await keys.finish(tx, [claim for claim, _ in answered], [reply for _, reply in answered])
    if refused:
        await keys.give_back(tx, refused)


def _replay(claim: Claim, stored: keys.StoredAnswer) -> Outcome:
    try:
        return checked_replay(claim, stored)
    except AppError as refusal:
        return refusal


def _refuse_all(entries: Sequence[Entry[C]], error: Exception) -> None:
    refusal = (
        Overloaded("the database does not answer") if failures.is_environment(error) else error
    )
    for entry in entries:
        entry.refuse(refusal)


def _names_a_row(error: Exception) -> bool:
    return failures.is_data(error) or _sqlstate(error) == _LOCK_NOT_AVAILABLE


def _may_pass_at_once(error: Exception) -> bool:
    state = _sqlstate(error)
    rolled_back = state is not None and state.startswith(_ROLLED_BACK_CLASS)
    return rolled_back or failures.is_connection_lost(error)


def _sqlstate(error: Exception) -> str | None:
    return error.sqlstate if isinstance(error, psycopg.Error) else None
