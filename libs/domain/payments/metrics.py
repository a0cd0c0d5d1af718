"""Metrics of the dispatcher; each answers a question an operator asks at night."""

from typing import Final

from libs.foundation.observability.metrics import counter, counter_by, gauge_by, histogram_by
from libs.foundation.resilience.breaker import BreakerState

ATTEMPTS: Final = counter_by(
    "payments_attempts_total",
    "Calls to a provider by what is known of their effect.",
    "provider",
    "kind",
    "outcome",
)
ATTEMPT_SECONDS: Final = histogram_by(
    "payments_attempt_seconds", "Time of one attempt, from claim to outcome.", "provider", "kind"
)
RESOLVED: Final = counter_by(
    "payments_operations_resolved_total",
    "Operations that reached a final state.",
    "provider",
    "kind",
    "state",
)
OVERTAKEN: Final = counter(
    "payments_outcomes_overtaken_total",
    "Outcomes that changed nothing, because another attempt had decided.",
)
IN_FLIGHT: Final = gauge_by(
    "payments_operations_in_flight", "Operations claimed and not yet recorded.", "provider"
)
OLDEST_UNRESOLVED_SECONDS: Final = gauge_by(
    "payments_oldest_unresolved_seconds",
    "Age of the oldest operation without a definite outcome; 0 when there is none.",
    "provider",
)
RETRY_TOKENS: Final = gauge_by(
    "payments_retry_tokens", "What is left of the retry budget.", "provider"
)
WEBHOOKS: Final = counter_by(
    "payments_webhooks_read_total",
    "Webhooks by what reading them came to.",
    "provider",
    "outcome",
)
WEBHOOKS_WAITING: Final = gauge_by(
    "payments_webhooks_waiting", "Webhooks that are not processed yet.", "provider"
)
WEBHOOKS_UNMATCHED: Final = gauge_by(
    "payments_webhooks_unmatched", "Webhooks about operations that are not known.", "provider"
)
DIFFERENCES: Final = gauge_by(
    "payments_reconciliation_differences",
    "Differences between the provider's books and ours, as the last comparison found them.",
    "provider",
    "kind",
)
RECONCILED_AT: Final = gauge_by(
    "payments_reconciled_timestamp_seconds",
    "When the last comparison that came to its end began; 0 if there is none.",
    "provider",
)
_BREAKER: Final = gauge_by(
    "payments_breaker_state", "0 closed, 1 half open, 2 open: calls are put off.", "provider"
)
_BREAKER_VALUES: Final = {
    BreakerState.CLOSED: 0,
    BreakerState.HALF_OPEN: 1,
    BreakerState.OPEN: 2,
}


def show_breaker(provider: str, state: BreakerState) -> None:
    """Set the breaker's gauge."""
    _BREAKER.of(provider).set(_BREAKER_VALUES[state])
