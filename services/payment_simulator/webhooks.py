"""Webhooks: what became of each operation, signed and sent until it is taken, or as faults say."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final
from uuid import UUID

import aiohttp
import msgspec
from standardwebhooks.webhooks import Webhook

from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.retry import Backoff
from services.payment_simulator.faults import Fault, FaultKind
from services.payment_simulator.messages import Operation, WebhookBody
from services.payment_simulator.settings import SimulatorSettings

_TOGETHER_MAX: Final = 16
_ATTEMPTS_MAX: Final = 30
_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
_BACKOFF: Final = Backoff(first_ms=100, cap_ms=2_000)
_FIRST_REFUSAL: Final = 300
_log = get_logger(__name__)


class Webhooks:
    """Sends in the background; what is not sent when the process ends is lost, as polls allow."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: SimulatorSettings,
        clock: Callable[[], float],
    ) -> None:
        self._session = session
        self._url = settings.webhook_url
        secret = settings.webhook_secret
        self._signer = None if secret is None else Webhook(secret.reveal())
        self._always = settings.webhooks == "always"
        self._clock = clock
        self._room = asyncio.Semaphore(_TOGETHER_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._secret_until: dict[UUID, float] = {}
        self._next_sent = asyncio.Event()

    def keeps_secret(self, key: UUID) -> bool:
        """Say whether how the operation ended is not told yet."""
        return self._clock() < self._secret_until.get(key, 0.0)

    def tell(self, operation: Operation, faults: Sequence[Fault]) -> None:
        """Send what became of the operation, if that is the custom or a fault asks for it."""
        kinds = {fault.kind: fault for fault in faults}
        if FaultKind.WEBHOOK_LOST in kinds or not (self._always or kinds):
            return
        copies = 2 if FaultKind.WEBHOOK_TWICE in kinds else 1
        for _ in range(copies):
            if FaultKind.WEBHOOK_OUT_OF_ORDER in kinds:
                delay_ms = kinds[FaultKind.WEBHOOK_OUT_OF_ORDER].delay_ms
                self._begin(self._send_behind_the_next(operation, delay_ms, self._next_sent))
            else:
                late = kinds.get(FaultKind.WEBHOOK_LATE)
                self._begin(self._send_after(operation, 0 if late is None else late.delay_ms))

    def tell_later(self, operation: Operation, delay_ms: int) -> None:
        """Keep secret how the operation ended for a while, and send it then."""
        if operation.key not in self._secret_until:
            self._secret_until[operation.key] = self._clock() + delay_ms / 1_000
            self._begin(self._send_after(operation, delay_ms))

    async def close(self) -> None:
        """Give up what is not sent yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_after(self, operation: Operation, delay_ms: int) -> None:
        await asyncio.sleep(delay_ms / 1_000)
        await self._send(operation)
        self._next_sent.set()
        self._next_sent = asyncio.Event()

    async def _send_behind_the_next(
        self, operation: Operation, delay_ms: int, next_sent: asyncio.Event
    ) -> None:
        try:
            async with asyncio.timeout(delay_ms / 1_000):
                await next_sent.wait()
        except TimeoutError:
            pass
        await self._send(operation)

    async def _send(self, operation: Operation) -> None:
        if self._url is None or self._signer is None:
            return
        for attempt in range(1, _ATTEMPTS_MAX + 1):
            try:
                async with self._room:
                    refusal = await self._post(self._url, self._signer, operation)
            except (aiohttp.ClientError, TimeoutError) as error:
                refusal = type(error).__name__
            if refusal is None:
                return
            await asyncio.sleep(_BACKOFF.delay_ms(attempt) / 1_000)
        _log.warning("webhook_given_up", operation=str(operation.key))

    async def _post(self, url: str, signer: Webhook, operation: Operation) -> str | None:
        now = datetime.now(UTC)
        body = msgspec.json.encode(
            WebhookBody(type=f"operation.{operation.status}", timestamp=now, data=operation)
        )
        id_ = f"evt_{operation.key.hex}"
        headers = {
            "Content-Type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(id_, now, body.decode()),
        }
        async with self._session.post(
            url, data=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
        ) as response:
            return None if response.status < _FIRST_REFUSAL else str(response.status)


@asynccontextmanager
async def open_webhooks(settings: SimulatorSettings) -> AsyncGenerator[Webhooks]:
    """Open the connections that webhooks are sent on."""
    connector = aiohttp.TCPConnector(limit=_TOGETHER_MAX)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        webhooks = Webhooks(session, settings, monotonic)
        try:
            yield webhooks
        finally:
            await webhooks.close()
