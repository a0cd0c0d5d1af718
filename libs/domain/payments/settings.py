"""How the payments worker calls its provider: limits, patience, retries."""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from libs.domain.payments.settlement import Patience
from libs.foundation.resilience.breaker import BreakerSettings
from libs.foundation.resilience.retry import Backoff


class SimulatorProviderSettings(Struct, frozen=True, kw_only=True):
    """Where the payment simulator listens."""

    url: str
    """Base URL of the payment simulator."""
    connect_timeout_ms: Annotated[int, Meta(ge=1)] = 1_000
    """Longest wait for a connection; until there is one, nothing was executed."""


class DispatchSettings(Struct, frozen=True, kw_only=True):
    """How operations are claimed, tried, asked about and given up."""

    concurrency_max: Annotated[int, Meta(ge=1)] = 64
    """Calls to one provider at the same time: its bulkhead."""
    poll_interval_min_ms: Annotated[int, Meta(ge=1)] = 10
    """Wait between two looks for due operations while there are some."""
    poll_interval_max_ms: Annotated[int, Meta(ge=1)] = 100
    """Wait between two looks while there are none."""
    call_timeout_ms: Annotated[int, Meta(ge=1)] = 5_000
    """Longest time for one attempt, counted from the claim; later nothing is sent any more."""
    recovery_ms: Annotated[int, Meta(ge=1)] = 15_000
    """Time after which a claimed operation without a recorded outcome is asked about again."""
    patience_s: Annotated[int, Meta(ge=1)] = 900
    """Time from its first attempt for which an authorisation provably not executed is tried."""
    capture_patience_s: Annotated[int, Meta(ge=1)] = 86_400
    """Time from its first attempt for which a capture provably not executed is tried."""
    key_window_s: Annotated[int, Meta(ge=1)] = 82_800
    """Time for which the provider surely remembers a key; later it is only asked, never called."""
    accepted_poll_ms: Annotated[int, Meta(ge=1)] = 2_000
    """Wait between two questions about an operation that the provider answers later."""
    retry_after_max_ms: Annotated[int, Meta(ge=1)] = 60_000
    """Longest wait that a provider may ask for."""
    retry_tokens_max: Annotated[int, Meta(ge=10)] = 500
    """Size of the retry budget; a retry costs 10, a success earns 1."""
    observe_interval_ms: Annotated[int, Meta(ge=1)] = 5_000
    """Wait between two measurements of the oldest unresolved operation."""
    backoff: Backoff = Backoff()
    breaker: BreakerSettings = BreakerSettings()

    def __post_init__(self) -> None:
        if self.poll_interval_min_ms > self.poll_interval_max_ms:
            raise ValueError("poll_interval_min_ms <= poll_interval_max_ms must hold")
        if self.call_timeout_ms * 2 > self.recovery_ms:
            raise ValueError("recovery_ms must be at least twice call_timeout_ms")
        if self.patience_s >= self.key_window_s:
            raise ValueError("patience_s < key_window_s must hold")

    def patience(self) -> Patience:
        """Return both patiences, as what decides them takes them."""
        return Patience(
            authorise=timedelta(seconds=self.patience_s),
            capture=timedelta(seconds=self.capture_patience_s),
        )


class WebhookSettings(Struct, frozen=True, kw_only=True):
    """How stored webhooks are read and forgotten."""

    poll_interval_min_ms: Annotated[int, Meta(ge=1)] = 10
    """Wait between two looks for webhooks while there are some."""
    poll_interval_max_ms: Annotated[int, Meta(ge=1)] = 200
    """Wait between two looks while there are none."""
    unmatched_wait_s: Annotated[int, Meta(ge=1)] = 60
    """Time after which a webhook about an unknown operation is read again."""
    kept_s: Annotated[int, Meta(ge=1)] = 604_800
    """Time for which a processed webhook is kept, to recognise its repeats."""
    expiry_rows_max: Annotated[int, Meta(ge=1)] = 1_000
    """Most processed webhooks deleted by one statement."""
    housekeeping_interval_ms: Annotated[int, Meta(ge=1)] = 30_000
    """Wait between two rounds of deleting and measuring."""


class ReconciliationSettings(Struct, frozen=True, kw_only=True):
    """When and how far back the provider's books are compared with ours."""

    interval_s: Annotated[int, Meta(ge=1)] = 86_400
    """Time between the beginnings of two comparisons by the clock."""
    jitter_ratio: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """Most of the interval that is added at random, so that installations do not meet."""
    window_s: Annotated[int, Meta(ge=1)] = 1_209_600
    """How far back objects and operations are compared; all of their keys fit in memory."""
    page_rows: Annotated[int, Meta(ge=1)] = 500
    """Operations of ours that are read by one statement."""
    look_interval_ms: Annotated[int, Meta(ge=1)] = 1_000
    """Wait between two looks for a request or a comparison that is due."""
    dead_after_s: Annotated[int, Meta(ge=1)] = 60
    """Time without a sign of life after which a comparison is given up and begun anew."""


class PaymentsSettings(Struct, frozen=True, kw_only=True):
    """What the payments worker needs beside the settings of every worker."""

    provider: SimulatorProviderSettings
    dispatch: DispatchSettings = DispatchSettings()
    webhooks: WebhookSettings = WebhookSettings()
    reconciliation: ReconciliationSettings = ReconciliationSettings()
