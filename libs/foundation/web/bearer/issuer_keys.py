"""The keys of one issuer: read ahead of need, kept through outages, asked for anew when unknown."""

import asyncio
from collections.abc import Callable
from random import SystemRandom
from time import monotonic
from typing import Final

import aiohttp

from libs.foundation.observability import metrics
from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.retry import Backoff
from libs.foundation.runtime.readiness import READY, Readiness
from libs.foundation.web.bearer.key_sets import (
    Keys,
    KeySetRefused,
    VerifyingKey,
    parse_key_set,
    same,
)
from libs.foundation.web.bearer.key_sources import KeySource
from libs.foundation.web.bearer.settings import AuthenticationSettings, Issuer
from libs.foundation.web.refusals import Overloaded

_READ: Final = metrics.counter_by(
    "signing_keys_reads_total", "Readings of issuers' keys.", "issuer", "outcome"
)
_AGE: Final = metrics.gauge_by(
    "signing_keys_age_seconds", "Time since the issuer's keys were read.", "issuer"
)
_BACKOFF: Final = Backoff(first_ms=200, cap_ms=30_000)
# Processes that started together must not ask an issuer together for ever.
_SPREAD: Final = 0.2
_uniform: Final = SystemRandom().uniform
_log: Final = get_logger(__name__)


class IssuerKeys:
    """Keys of one pinned issuer; `changed` is called after they became other ones."""

    def __init__(
        self,
        issuer: Issuer,
        source: KeySource,
        settings: AuthenticationSettings,
        changed: Callable[[], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._issuer = issuer
        self._source = source
        self._changed = changed
        self._clock = clock
        self._refresh_s = settings.keys_refresh_ms / 1_000
        self._age_max_s = settings.keys_age_max_ms / 1_000
        self._timeout_s = settings.keys_timeout_ms / 1_000
        self._unknown_pause_s = settings.unknown_key_pause_ms / 1_000
        self._keys: Keys = {}
        self._read_at_s: float | None = None
        self._asked_at_s: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self._failures = 0

    @property
    def usable_s(self) -> float:
        """How long the keys may still be used if they cannot be read again."""
        if self._read_at_s is None:
            return 0.0
        return max(0.0, self._read_at_s + self._age_max_s - self._clock())

    def readiness(self) -> Readiness:
        if self.usable_s > 0:
            return READY
        return Readiness(ready=False, reason=f"the keys of {self._issuer.issuer} are not known")

    async def find(self, kid: str) -> VerifyingKey | None:
        """Return the key; an unknown one is asked for, unless that was done just now.

        Whoever sends made-up ids can so set off one reading a pause, and no more.
        """
        if self.usable_s > 0 and (found := self._keys.get(kid)) is not None:
            return found
        if self._reading is not None or self._may_ask():
            await self.read()
        if self.usable_s <= 0:
            raise Overloaded("the keys of the token's issuer are not known at the moment")
        return self._keys.get(kid)

    async def read(self) -> None:
        """Read the keys, together with whoever reads them already; never raises."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._forget_reading)
        # A caller that gives up must not end the reading of the others.
        await asyncio.shield(self._reading)

    async def keep_fresh(self) -> None:
        """Read the keys again and again; sooner after a failure."""
        while True:
            await asyncio.sleep(self._pause_s())
            await self.read()

    def _may_ask(self) -> bool:
        now_s = self._clock()
        if self._asked_at_s is not None and now_s < self._asked_at_s + self._unknown_pause_s:
            return False
        self._asked_at_s = now_s
        return True

    def _pause_s(self) -> float:
        if self._failures:
            return min(_BACKOFF.delay_ms(self._failures) / 1_000, self._refresh_s)
        return self._refresh_s * _uniform(1 - _SPREAD, 1 + _SPREAD)

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                document = await self._source.read()
            keys = parse_key_set(document, self._issuer.algorithms)
        except (KeySetRefused, aiohttp.ClientError, OSError) as error:
            self._failures += 1
            _READ.of(self._issuer.issuer, "failed").inc()
            _log.warning(
                "signing_keys_not_read",
                issuer=self._issuer.issuer,
                reason=f"{type(error).__name__}: {error}",
                usable_s=round(self.usable_s),
            )
            return
        self._failures = 0
        self._take(keys)

    def _take(self, keys: Keys) -> None:
        _READ.of(self._issuer.issuer, "read").inc()
        self._read_at_s = read_at_s = self._clock()
        _AGE.of(self._issuer.issuer).set_function(lambda: self._clock() - read_at_s)
        if same(self._keys, keys):
            return
        self._keys = keys
        self._changed()
        _log.info("signing_keys_changed", issuer=self._issuer.issuer, kids=sorted(keys))

    def _forget_reading(self, _: asyncio.Task[None]) -> None:
        self._reading = None
