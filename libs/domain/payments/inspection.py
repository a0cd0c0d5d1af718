"""Says what holds a payment up, from what is known of it; the decision is a pure function."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.domain.payments.operation import OperationState
from libs.domain.payments.sql import inspections
from libs.domain.payments.sql.inspections import (
    OperationSeen,
    PaymentSeen,
    ProviderSeen,
    ReductionSeen,
)
from libs.foundation.database.connections import Connection
from libs.foundation.messaging.journey.holds import PATIENCE, Hold, command

_COUNTED_MAX: Final = 10_000
# What an attempt is written down as when the breaker let no call through.
_BREAKER_OPEN: Final = "breaker_open"
_RECONCILE: Final = command("payments", "reconcile", reason=True)


class PaymentFacts(Struct, frozen=True, kw_only=True):
    """What is known of the money of one order; no payment before payments has heard of it."""

    payment: PaymentSeen | None = None
    operations: Sequence[OperationSeen] = ()
    reductions: Sequence[ReductionSeen] = ()
    provider: ProviderSeen | None = None

    @property
    def moments(self) -> list[datetime]:
        """When something of it was written, and with it perhaps a message."""
        found: list[datetime | None] = []
        if self.payment is not None:
            found += [self.payment.created_at, self.payment.updated_at]
        for operation in self.operations:
            found += [operation.created_at, operation.updated_at]
        for reduction in self.reductions:
            found += [reduction.created_at, reduction.answered_at]
        return [moment for moment in found if moment is not None]


async def inspect_payment(connection: Connection, order_id: UUID) -> PaymentFacts:
    """Read what is known of the money of an order."""
    payment = await inspections.payment(connection, order_id)
    if payment is None:
        return PaymentFacts()
    return PaymentFacts(
        payment=payment,
        operations=await inspections.operations(connection, order_id),
        reductions=await inspections.reductions(connection, order_id),
        provider=await inspections.provider(connection, payment.provider, _COUNTED_MAX),
    )


def holds_of(facts: PaymentFacts, now: datetime) -> list[Hold]:
    """Return what holds the money up, what a person must decide first."""
    found = list(_holds(facts, now))
    return sorted(found, key=lambda hold: not hold.needs_person)


def _holds(facts: PaymentFacts, now: datetime) -> Iterator[Hold]:
    for operation in facts.operations:
        # Without a time of its own it waits for the operation before it, which speaks for both.
        if operation.state is OperationState.QUEUED and operation.next_at is None:
            continue
        hold = _hold_of(operation, facts.provider, now)
        if hold is not None:
            yield hold


def _hold_of(operation: OperationSeen, provider: ProviderSeen | None, now: datetime) -> Hold | None:
    what = f"{operation.kind.value} at {operation.provider}, key {operation.key}"
    tried = f"{operation.attempts} attempts, last outcome {operation.outcome or 'none'}"
    match operation.state:
        case OperationState.MANUAL:
            return Hold(
                code="payment_manual",
                reason=f"{what}: given up without knowing its effect ({operation.outcome});"
                " look it up at the provider by its key",
                actions=(_RECONCILE,),
                needs_person=True,
            )
        case OperationState.UNKNOWN:
            return Hold(
                code="payment_unknown",
                reason=f"{what}: the answer was lost; it is asked about and repeated under the same"
                f" key until it is known ({tried}{_next(operation, now)})",
                actions=(_RECONCILE,) if _is_slow(operation, now) else (),
                is_slow=_is_slow(operation, now),
            )
        case OperationState.ACCEPTED:
            return Hold(
                code="payment_waits_for_provider",
                reason=f"{what}: the provider has taken it and answers later ({tried})",
                is_slow=_is_slow(operation, now),
            )
        case OperationState.SENT | OperationState.QUEUED:
            return _open_hold(operation, f"{what}: ", tried, provider, now)
        case OperationState.SUCCEEDED | OperationState.DECLINED | OperationState.FAILED:
            return None


def _open_hold(
    operation: OperationSeen, what: str, tried: str, provider: ProviderSeen | None, now: datetime
) -> Hold:
    """Tell why an operation that is provably not executed, or in flight, has come no further."""
    slow = _is_slow(operation, now)
    status = (command("consumers", "status"),) if slow else ()
    if operation.outcome == _BREAKER_OPEN or _calls_are_put_off(operation, provider, now):
        return Hold(
            code="payment_breaker_open",
            reason=f"{what}calls to the provider are put off, the breaker is open"
            f" ({tried}{_health(provider, now)}); it goes on by itself when the provider is back",
            is_slow=slow,
        )
    if operation.attempts and operation.outcome is not None:
        return Hold(
            code="payment_retrying",
            reason=f"{what}not executed so far, tried again under the same key"
            f" ({tried}{_next(operation, now)}{_health(provider, now)})",
            is_slow=slow,
        )
    if _overdue(operation, now):
        return Hold(
            code="payment_not_called",
            reason=f"{what}due and not called: no payments worker runs, or all its calls are busy",
            actions=status,
            is_slow=slow,
        )
    return Hold(code="payment_in_flight", reason=f"{what}under way ({tried})", is_slow=slow)


def _calls_are_put_off(
    operation: OperationSeen, provider: ProviderSeen | None, now: datetime
) -> bool:
    """Say whether it is due, has failed before, and another call was tried only just now.

    An open breaker claims nothing, so its operations keep the outcome of their last attempt.
    """
    if provider is None or provider.tried_at is None or not operation.attempts:
        return False
    return _overdue(operation, now) and now - provider.tried_at < 6 * PATIENCE


def _overdue(operation: OperationSeen, now: datetime) -> bool:
    return operation.next_at is not None and now - operation.next_at > PATIENCE


def _is_slow(operation: OperationSeen, now: datetime) -> bool:
    return now - operation.created_at > PATIENCE


def _next(operation: OperationSeen, now: datetime) -> str:
    if operation.next_at is None:
        return ""
    return f", next in {max(0, int((operation.next_at - now).total_seconds()))} s"


def _health(provider: ProviderSeen | None, now: datetime) -> str:
    if provider is None:
        return ""
    last = (
        "never"
        if provider.succeeded_at is None
        else f"{int((now - provider.succeeded_at).total_seconds())} s ago"
    )
    return f"; {provider.unresolved} operations wait there, the last one succeeded {last}"
