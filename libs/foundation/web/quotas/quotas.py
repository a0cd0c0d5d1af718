"""Counts requests against the principal's quota: in memory, with the bucket one statement away."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from math import ceil, inf
from random import SystemRandom
from time import monotonic
from typing import Final

import psycopg
from msgspec import Struct
from msgspec.structs import replace

from libs.foundation.database.connections import Pool, open_pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.observability import metrics
from libs.foundation.observability.logs import get_logger
from libs.foundation.web.authentication import Principal
from libs.foundation.web.batcher import Batcher
from libs.foundation.web.quotas.account import Account, Grant
from libs.foundation.web.quotas.quota import Quota, QuotaSettings, quota_of
from libs.foundation.web.refusals import QuotaExceeded
from libs.foundation.web.sql import quota_buckets
from libs.foundation.web.sql.quota_buckets import Taken, Wish

POLICY: Final = "default"
HOLDING_S: Final = 5.0
_ANSWER_MAX_S: Final = 0.25
_WISHES_MAX: Final = 256
_MICROSECONDS: Final = 1_000_000
_REFUSED: Final = metrics.counter_by("quota_refusals_total", "Requests refused with 429.", "kind")
_LENT: Final = metrics.counter(
    "quota_loans_total", "Allotments given without the bucket, which did not answer."
)
_STATEMENTS: Final = metrics.counter(
    "quota_statements_total", "Statements that took from buckets or gave back."
)
_random: Final = SystemRandom()
_log: Final = get_logger(__name__)
# Buckets fill by themselves: an end does not wait long for a database that is away.
_SETTLED_S: Final = 2.0


class _Seat(Struct, eq=False):
    """One principal in this process; `answered` is set while its bucket is being asked."""

    principal: Principal
    quota: Quota
    account: Account
    policy: str
    next_s: int
    answered: asyncio.Future[None] | None = None

    def headers(self) -> dict[str, str]:
        """Return what the caller may still ask for; an estimate: other processes spend too."""
        rest = min(self.account.rest + self.account.held, self.quota.requests_max)
        return {
            "RateLimit-Policy": self.policy,
            "RateLimit": f'"{POLICY}";r={rest};t={self.next_s}',
        }


class Quotas:
    """The quotas of one process; `by_kind` has one for each kind of principal."""

    def __init__(
        self,
        pool: Pool,
        by_kind: Mapping[str, QuotaSettings],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._pool = pool
        self._quotas = {kind: quota_of(settings) for kind, settings in by_kind.items()}
        self._clock = clock
        self._seats: dict[str, _Seat] = {}
        self._late: asyncio.Task[dict[str, Taken] | None] | None = None
        self._asking: Batcher[tuple[_Seat, int]] = Batcher(
            self._ask, flush_max=_WISHES_MAX, flushes_max=1, waiting_max=_WISHES_MAX
        )

    async def spend(self, principal: Principal) -> dict[str, str]:
        """Count one request, and return the headers of its answer; raise QuotaExceeded."""
        seat = self._seats.get(principal.id) or self._seated(principal)
        account = seat.account
        while not account.spend():
            closed_s = account.closed_s(self._clock())
            if closed_s > 0:
                raise self._refusal(seat, closed_s)
            await asyncio.shield(seat.answered or self._wish(seat, seat.quota.allotment))
        if account.runs_low and seat.answered is None and not account.closed_s(self._clock()):
            self._wish(seat, seat.quota.allotment)
        return seat.headers()

    def give_back(self, now_s: float) -> None:
        """Return what was held for too long, and forget who has not asked for a while."""
        for name, seat in list(self._seats.items()):
            if seat.answered is not None:
                continue
            returned = seat.account.give_back(now_s, HOLDING_S)
            if returned:
                self._wish(seat, -returned)
            elif seat.account.is_forgettable(now_s):
                del self._seats[name]

    async def keep_giving_back(self) -> None:
        while True:
            await asyncio.sleep(HOLDING_S)
            self.give_back(self._clock())

    async def close(self) -> None:
        """Return everything that is held, so that a restart costs nobody anything."""
        await self.settled()
        self.give_back(inf)
        await self.settled()
        if self._late is not None:
            self._late.cancel()

    async def settled(self) -> None:
        """Wait until no bucket is being asked."""
        await self._asking.flushed(_SETTLED_S)

    def _seated(self, principal: Principal) -> _Seat:
        quota = self._quotas[principal.kind]
        seat = _Seat(
            principal,
            quota,
            Account(quota),
            f'"{POLICY}";q={quota.requests_max};w={quota.window_s}',
            max(1, ceil(quota.interval_us / _MICROSECONDS)),
        )
        self._seats[principal.id] = seat
        return seat

    def _wish(self, seat: _Seat, requests: int) -> asyncio.Future[None]:
        """Ask the bucket for `requests`, or give some back; one wish of a seat at a time."""
        seat.answered = asyncio.get_running_loop().create_future()
        self._asking.add((seat, requests))
        return seat.answered

    async def _ask(self, asked: list[tuple[_Seat, int]]) -> None:
        """Ask the buckets; must not raise, or everybody who waits would wait for ever."""
        taken = await self._taken(
            [
                Wish(seat.principal.id, requests, seat.quota.interval_us, seat.quota.window_us)
                for seat, requests in asked
            ]
        )
        now_s = self._clock()
        for seat, requests in asked:
            given = None if taken is None else taken.get(seat.principal.id)
            if requests > 0 and given is not None:
                seat.account.receive(_grant(given, seat.quota), now_s)
            elif requests > 0 and seat.account.lend(now_s, HOLDING_S):
                _LENT.inc()
            answered, seat.answered = seat.answered, None
            if answered is not None:
                answered.set_result(None)

    async def _taken(self, wishes: Sequence[Wish]) -> dict[str, Taken] | None:
        """Return what the buckets gave, or None when they do not answer in time.

        The statement is left alone then: to cancel one on a server that hangs takes seconds.
        What it takes after all is lost, and none other begins before it has ended.
        """
        if self._late is not None and not self._late.done():
            return None
        self._late = asyncio.create_task(self._take(wishes))
        await asyncio.wait({self._late}, timeout=_ANSWER_MAX_S)
        return self._late.result() if self._late.done() else None

    async def _take(self, wishes: Sequence[Wish]) -> dict[str, Taken] | None:
        try:
            async with self._pool.connection() as connection:
                taken = await quota_buckets.take(connection, wishes)
        except (psycopg.Error, OSError) as error:
            _log.warning("quota_buckets_not_asked", error=type(error).__name__)
            return None
        _STATEMENTS.inc()
        return {each.principal: each for each in taken}

    def _refusal(self, seat: _Seat, closed_s: float) -> QuotaExceeded:
        _REFUSED.of(seat.principal.kind).inc()
        after_s = max(seat.next_s, ceil(closed_s))
        # Callers that were refused together must not come back together.
        retry_s = after_s + _random.randint(0, max(1, after_s // 2))
        headers = {
            "RateLimit-Policy": seat.policy,
            "RateLimit": f'"{POLICY}";r=0;t={after_s}',
            "Retry-After": str(retry_s),
        }
        return QuotaExceeded(POLICY, headers)


def _grant(taken: Taken, quota: Quota) -> Grant:
    free_us = quota.window_us - taken.ahead_us
    return Grant(
        requests=taken.granted,
        rest=quota.requests_in(free_us),
        wait_s=max(0, quota.interval_us - free_us) / _MICROSECONDS,
    )


@asynccontextmanager
async def open_quotas(
    database: DatabaseSettings, by_kind: Mapping[str, QuotaSettings]
) -> AsyncGenerator[Quotas]:
    """Open quotas on one connection of their own, which no request can take from them."""
    single = replace(database, pool_size_max=1)
    async with open_pool(single, "api-quotas", by_key=True) as pool:
        quotas = Quotas(pool, by_kind)
        giving_back = asyncio.create_task(quotas.keep_giving_back())
        try:
            yield quotas
        finally:
            giving_back.cancel()
            await asyncio.gather(giving_back, return_exceptions=True)
            await quotas.close()
