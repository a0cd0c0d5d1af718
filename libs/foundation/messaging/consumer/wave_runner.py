"""Runs a wave to its end: every message is handled, queued, parked or known as a duplicate."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from libs.foundation.database.connections import Pool
from libs.foundation.messaging.consumer.effects import Effects, ParkingStopped
from libs.foundation.messaging.consumer.metrics import (
    ENVIRONMENT_ERRORS,
    MESSAGES,
    NEWLY_PARKED_KEYS,
    PARKING_STOPPED,
)
from libs.foundation.messaging.consumer.progress import LaneProgress
from libs.foundation.messaging.consumer.records import Item, Refusal, refusal_for
from libs.foundation.messaging.consumer.settings import ConsumerSettings
from libs.foundation.messaging.consumer.turns import Handled
from libs.foundation.messaging.definitions import ConsumerDefinition
from libs.foundation.messaging.inbox import InboxWindow, InboxWindowMoved
from libs.foundation.messaging.parking import ParkingBudget
from libs.foundation.messaging.poison import Verdict, error_code, error_text, is_too_slow, judge
from libs.foundation.messaging.quarantine.failures import Failure, failure_of, refused
from libs.foundation.messaging.waves import Wave
from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.retry import Backoff

_log: Final = get_logger(__name__)
_NO_TYPE: Final = "unreadable"


class _Suspect(Struct, kw_only=True):
    """A message that failed alone of something unexplained; `failures` are its own."""

    item: Item
    error: Exception
    failures: list[Failure] = field(default_factory=list[Failure])
    is_poison: bool = False


class WaveRunner:
    """Shared by all lanes of a consumer: each lane's messages are neighbours of the others'."""

    def __init__(
        self, definition: ConsumerDefinition, pool: Pool, settings: ConsumerSettings
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._backoff = Backoff(first_ms=settings.retry_first_ms, cap_ms=settings.retry_cap_ms)
        self.budget = ParkingBudget(settings.parked_keys_per_minute_max)
        self.window = InboxWindow()
        self._effects = Effects(
            definition,
            pool,
            self.budget,
            at_once_max=settings.wave_connections_max,
            messages_max=settings.batch_records_max,
            timeout_ms=settings.wave_timeout_ms,
        )
        self._passed = 0

    async def run(self, wave: Wave, progress: LaneProgress) -> None:
        """Return when the wave is finished; raises LaneClosed when the lane is closed meanwhile."""
        if wave.type is None:
            for item in wave.items:
                await self._park(item, item.refusal or _outside(), progress)
            return
        passed = self._passed
        failed_alone = await self._bisect(wave.type, wave.items, progress)
        suspects = [_Suspect(item=item, error=error) for item, error in failed_alone]
        await self._examine(wave, suspects, passed, progress)

    async def _bisect(
        self, wave_type: str, items: Sequence[Item], progress: LaneProgress
    ) -> list[tuple[Item, Exception]]:
        """Try all at once, then ever smaller parts; return what failed alone, unexplained.

        Only the first try may be shared with other lanes.
        """
        suspects: list[tuple[Item, Exception]] = []
        parts = deque([items])
        failures = 0
        alone = False
        while parts:
            part = await self._park_outside(parts.popleft(), progress)
            error = await self._attempt(wave_type, part, progress, alone=alone) if part else None
            if error is None:
                failures = 0
                continue
            alone = True
            verdict = judge(error)
            if verdict is Verdict.ENVIRONMENT:
                failures += 1
                await self._wait_out(error, failures, progress)
                parts.extendleft(_halves(part) if is_too_slow(error) else [part])
            elif len(part) > 1:
                parts.extendleft(_halves(part))
            elif verdict is Verdict.POISON:
                await self._park(part[0], refusal_for(failure_of(error)), progress)
            else:
                suspects.append((part[0], error))
        return suspects

    async def _examine(
        self, wave: Wave, suspects: list[_Suspect], passed_before: int, progress: LaneProgress
    ) -> None:
        """Try each alone until it passes, or has failed often enough while others pass.

        When a wave of several fails as a whole, and nothing of the other lanes passes either,
        the messages are not to blame, and this goes on for ever.
        """
        rounds = 0
        while suspects:
            if self._passed > passed_before or len(wave.items) == 1:
                for suspect in suspects:
                    await self._count_failure(suspect)
            suspects = [s for s in suspects if not await self._parks(s, progress)]
            if suspects:
                rounds += 1
                await self._wait_out(suspects[0].error, rounds, progress)
                suspects = [s for s in suspects if not await self._passes(wave, s, progress)]

    async def _count_failure(self, suspect: _Suspect) -> None:
        """Count a failure that is the message's own: the database is well at this moment."""
        if judge(suspect.error) is not Verdict.ENVIRONMENT and await self._effects.probe():
            suspect.failures.append(failure_of(suspect.error))

    async def _parks(self, suspect: _Suspect, progress: LaneProgress) -> bool:
        often = len(suspect.failures) >= self._settings.poison_attempts_max
        if not (often or suspect.is_poison):
            return False
        await self._park(suspect.item, refusal_for(*suspect.failures), progress)
        return True

    async def _passes(self, wave: Wave, suspect: _Suspect, progress: LaneProgress) -> bool:
        part = await self._park_outside([suspect.item], progress)
        wave_type = wave.type or _NO_TYPE
        error = await self._attempt(wave_type, part, progress, alone=True) if part else None
        if error is None:
            return True
        suspect.error = error
        if judge(error) is Verdict.POISON:
            suspect.is_poison = True
            suspect.failures.append(failure_of(error))
        return False

    async def _attempt(
        self, wave_type: str, items: Sequence[Item], progress: LaneProgress, *, alone: bool
    ) -> Exception | None:
        try:
            handled = await self._effects.handle(wave_type, items, alone=alone)
        except Exception as error:  # noqa: BLE001 - the caller judges it; none may end the lane.
            return error
        if handled.handled:
            self._passed += 1
        _count(handled)
        progress.mark()
        return None

    async def _park_outside(self, items: Sequence[Item], progress: LaneProgress) -> Sequence[Item]:
        """Park what the inbox cannot claim any more, and return the rest."""
        inside: list[Item] = []
        for item in items:
            if item.event_id is not None and self.window.is_outside(item.event_id):
                await self._park(replace(item, claimable=False), _outside(), progress)
            else:
                inside.append(item)
        return inside

    async def _park(self, item: Item, refusal: Refusal, progress: LaneProgress) -> None:
        """Park a message, however long that takes: what is not parked must not be passed over."""
        failures = 0
        while True:
            try:
                parked = await self._effects.park(replace(item, refusal=refusal), refusal)
                break
            except ParkingStopped as error:
                PARKING_STOPPED.set(1)
                _log.error("parking_stopped", reason=str(error), fingerprint=refusal.fingerprint)
                progress.failed(str(error))
                await progress.until(self.budget.flowing)
            except Exception as error:  # noqa: BLE001 - nothing but success may end the loop.
                failures += 1
                await self._wait_out(error, failures, progress)
                if item.event_id is not None and self.window.is_outside(item.event_id):
                    item = replace(item, claimable=False)
        progress.mark()
        outcome = "duplicate" if parked is None else "queued" if parked.queued else "parked"
        MESSAGES.of(outcome, item.type or _NO_TYPE).inc()
        if parked is not None and parked.newly:
            NEWLY_PARKED_KEYS.inc()
            record = item.record
            _log.error(
                "key_parked",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                type=item.type,
                code=refusal.code,
                reason=refusal.error,
                fingerprint=refusal.fingerprint,
                attempts=refusal.attempts,
            )

    async def _wait_out(self, error: Exception, failures: int, progress: LaneProgress) -> None:
        """Wait before the next try; a changed inbox window is read anew."""
        code = error_code(error)
        ENVIRONMENT_ERRORS.of(code).inc()
        text = f"{code}: {error_text(error)}"
        _log.warning("wave_failed", code=code, reason=text, failures=failures)
        progress.failed(text)
        await progress.pause(self._backoff.delay_ms(failures) / 1_000)
        if isinstance(error, InboxWindowMoved):
            await self.refresh_window()

    async def refresh_window(self) -> bool:
        """Read which ids the inbox holds; False when the database did not tell."""
        try:
            await self.window.refresh(self._pool)
        except Exception as error:  # noqa: BLE001 - the next wave meets the same error and waits.
            _log.warning("inbox_window_unknown", reason=error_text(error))
            return False
        return True


def _halves(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Return both halves, the second first, ready for `deque.extendleft`."""
    middle = (len(items) + 1) // 2
    return [half for half in (items[middle:], items[:middle]) if half]


def _outside() -> Refusal:
    return refusal_for(refused("outside_window", "it is older than what the inbox still remembers"))


def _count(handled: Handled) -> None:
    for outcome, items in (
        ("handled", handled.handled),
        ("queued", handled.queued),
        ("duplicate", handled.duplicates),
    ):
        if items:
            MESSAGES.of(outcome, items[0].type or _NO_TYPE).inc(len(items))
