"""Holds the lease: renewed by its own task over its own connection, by the database's clock."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from random import SystemRandom
from time import monotonic
from typing import Final

import psycopg

from libs.foundation.database.connections import Connection, open_connection
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.messaging.relay.errors import LeaseLost
from libs.foundation.messaging.sql import relay_leases
from libs.foundation.observability.logs import get_logger

_log: Final = get_logger(__name__)
_uniform: Final = SystemRandom().uniform


class Lease:
    """One epoch of this process; over as soon as a renewal is late or refused."""

    def __init__(self, epoch: int, lease_s: float, taken_at_s: float) -> None:
        self.epoch = epoch
        self._lease_s = lease_s
        self._good_until_s = taken_at_s + lease_s
        self._is_over = False

    def check(self) -> None:
        """Raise LeaseLost unless no other relay can have taken over yet.

        Measured from before the last renewal was sent, so it is never later than the database
        thinks. After a freeze the check fails before anything is sent.
        """
        if self._is_over or monotonic() >= self._good_until_s:
            self._is_over = True
            raise LeaseLost(self.epoch)

    async def keep(self, settings: DatabaseSettings, renewal_s: float) -> None:
        """Renew until the lease is lost; a new connection is tried at each interval."""
        while not self._is_over:
            try:
                async with open_connection(settings, "outbox-relay lease") as connection:
                    await self._renew(connection, renewal_s)
            except (psycopg.Error, OSError, TimeoutError) as error:
                _log.warning("lease_not_renewed", epoch=self.epoch, error=str(error))
                await asyncio.sleep(renewal_s)
            self._is_over = self._is_over or monotonic() >= self._good_until_s

    async def _renew(self, connection: Connection, renewal_s: float) -> None:
        lease_ms = int(self._lease_s * 1_000)
        while not self._is_over:
            asked_at_s = monotonic()
            async with asyncio.timeout(self._lease_s):
                renewed = await relay_leases.renew(connection, self.epoch, lease_ms)
            if not renewed:
                self._is_over = True
                return
            self._good_until_s = asked_at_s + self._lease_s
            await asyncio.sleep(renewal_s)


class LeaseTerms:
    """How the lease is waited for, kept and given back."""

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        holder: str,
        lease_ms: int,
        renewal_ms: int,
        standby_poll_ms: int,
    ) -> None:
        self._settings = settings
        self._holder = holder
        self._lease_ms = lease_ms
        self._renewal_s = renewal_ms / 1_000
        self._standby_poll_s = standby_poll_ms / 1_000

    async def wait(
        self, is_stopping: Callable[[], bool], polled: Callable[[], None]
    ) -> Lease | None:
        """Take the lease as soon as it is free; None when stopping comes first.

        `polled` is called after each answer, as the sign that a standby is alive.
        """
        async with open_connection(self._settings, "outbox-relay standby") as connection:
            while not is_stopping():
                asked_at_s = monotonic()
                epoch = await relay_leases.take(connection, self._holder, self._lease_ms)
                if epoch is not None:
                    return Lease(epoch, self._lease_ms / 1_000, asked_at_s)
                polled()
                # Jittered, so that several standbys do not ask in step.
                await asyncio.sleep(self._standby_poll_s * _uniform(0.5, 1.5))
        return None

    @asynccontextmanager
    async def holding(self, lease: Lease) -> AsyncGenerator[None]:
        """Renew `lease` within the block and give it back at its end."""
        renewing = asyncio.create_task(lease.keep(self._settings, self._renewal_s))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            await self._release(lease)

    async def _release(self, lease: Lease) -> None:
        # A database that does not answer needs no release: the lease runs out by itself.
        with suppress(psycopg.Error, OSError, TimeoutError):
            async with (
                asyncio.timeout(self._lease_ms / 1_000),
                open_connection(self._settings, "outbox-relay release") as connection,
            ):
                await relay_leases.release(connection, lease.epoch)
