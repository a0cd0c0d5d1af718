"""One attempt at one operation: ask what is known of it, else call under its key."""

from datetime import datetime, timedelta

from libs.contracts.money import Money
from libs.domain.payments.operation import Kind, Operation
from libs.domain.payments.provider import (
    Accepted,
    Authorisation,
    Capture,
    NotExecuted,
    Outcome,
    PaymentProvider,
    Refund,
    Release,
    Unknown,
    Unresolvable,
)
from libs.foundation.observability.logs import get_logger
from libs.foundation.resilience.breaker import Breaker, BreakerOpen
from libs.foundation.resilience.deadline import Deadline

_log = get_logger(__name__)


async def attempt(
    provider: PaymentProvider,
    breaker: Breaker,
    operation: Operation,
    deadline: Deadline,
    *,
    key_expired: bool,
) -> Outcome:
    """Return what the provider says of `operation`; raises nothing that a provider can cause.

    After `key_expired` the same key could charge a second time, so the provider is only asked.
    """
    if deadline.passed:
        return NotExecuted(reason="deadline_before_call", attempted=False)
    try:
        with breaker.attempt() as call:
            outcome = await _ask_or_call(provider, operation, deadline, key_expired=key_expired)
            if isinstance(outcome, Unknown | NotExecuted):
                call.failed()
            return outcome
    except BreakerOpen:
        return NotExecuted(reason="breaker_open", attempted=False)
    except Exception as error:  # noqa: BLE001  # A faulty adapter may have sent the request.
        _log.error("provider_adapter_failed", provider=provider.name, exc_info=error)
        return Unknown(reason=type(error).__name__)


def key_expires_at(operation: Operation, key_window: timedelta) -> datetime | None:
    """Return when the provider may forget the key; None while it cannot have seen it."""
    if not operation.possibly_executed or operation.first_attempt_at is None:
        return None
    return operation.first_attempt_at + key_window


async def _ask_or_call(
    provider: PaymentProvider, operation: Operation, deadline: Deadline, *, key_expired: bool
) -> Outcome:
    if operation.possibly_executed:
        found = await provider.lookup(operation.key, deadline)
        if key_expired and (found is None or isinstance(found, Accepted)):
            return Unresolvable(reason="key_expired")
        if found is not None:
            return found
    return await _call(provider, operation, deadline)


async def _call(provider: PaymentProvider, operation: Operation, deadline: Deadline) -> Outcome:
    key, amount = operation.key, Money(amount=operation.amount_minor, currency=operation.currency)
    reference = operation.target_reference or ""
    match operation.kind:
        case Kind.AUTHORISE:
            authorisation = Authorisation(
                key=key,
                order_id=operation.order_id,
                amount=amount,
                token=operation.source_value or "",
                external_reference=operation.external_reference,
            )
            return await provider.authorise(authorisation, deadline)
        case Kind.CAPTURE:
            capture = Capture(key=key, reference=reference, amount=amount)
            return await provider.capture(capture, deadline)
        case Kind.RELEASE:
            release = Release(key=key, reference=reference, amount=amount)
            return await provider.release(release, deadline)
        case Kind.RETURN | Kind.REFUND:
            refund = Refund(key=key, reference=reference, amount=amount)
            return await provider.refund(refund, deadline)
