"""When an operation without a definite outcome is tried or asked about again."""

from datetime import datetime, timedelta
from random import SystemRandom
from typing import Final

from libs.domain.payments.operation import Operation
from libs.domain.payments.provider import Accepted, Declined, NotExecuted, Outcome, Succeeded
from libs.domain.payments.settings import DispatchSettings
from libs.foundation.resilience.retry import RetryBudget, Uniform

_uniform: Final[Uniform] = SystemRandom().uniform
_MANY_FAILURES: Final = 63


class Pacing:
    """Waits between the attempts at one operation, under one budget for the whole provider.

    An empty budget makes retries wait as long as the longest backoff: money may be put off,
    never dropped.
    """

    def __init__(self, settings: DispatchSettings, uniform: Uniform = _uniform) -> None:
        self._settings = settings
        self._uniform = uniform
        self._budget = RetryBudget(settings.retry_tokens_max)

    @property
    def tokens(self) -> int:
        """What is left of the budget."""
        return self._budget.tokens

    def next_at(self, operation: Operation, outcome: Outcome, now: datetime) -> datetime:
        """Return when to come back, should `outcome` not settle the operation."""
        return now + timedelta(milliseconds=self._delay_ms(operation, outcome))

    def _delay_ms(self, operation: Operation, outcome: Outcome) -> float:
        match outcome:
            case Succeeded() | Declined():
                self._budget.deposit()
                return self._settings.accepted_poll_ms
            case Accepted():
                return self._settings.accepted_poll_ms
            case NotExecuted(attempted=False):
                return self._backoff_ms(1)
            case NotExecuted(retry_after_ms=int() as asked_ms):
                asked_ms = min(asked_ms, self._settings.retry_after_max_ms)
                return asked_ms + self._retry_ms(operation)
            case _:
                return self._retry_ms(operation)

    def _retry_ms(self, operation: Operation) -> float:
        affordable = self._budget.withdraw()
        return self._backoff_ms(max(1, operation.attempts) if affordable else _MANY_FAILURES)

    def _backoff_ms(self, failures: int) -> float:
        return self._settings.backoff.delay_ms(failures, self._uniform)
