"""A payment as people may see it: nothing that pays for something is read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.domain.payments.operation import Kind, OperationState
from libs.domain.payments.payment import State
from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class PaymentSeen(Struct, frozen=True, kw_only=True):
    """A row of payments.payments."""

    provider: str
    state: State
    currency: str
    planned_minor: int
    authorised_minor: int
    captured_minor: int
    released_minor: int
    returned_minor: int
    refunded_minor: int
    decline_code: str | None
    created_at: datetime
    updated_at: datetime


class OperationSeen(Struct, frozen=True, kw_only=True):
    """A row of payments.operations; `key` is the name under which the provider knows it."""

    key: UUID
    provider: str
    kind: Kind
    amount_minor: int
    currency: str
    state: OperationState
    attempts: int
    first_attempt_at: datetime | None
    next_at: datetime | None
    possibly_executed: bool
    outcome: str | None
    created_at: datetime
    updated_at: datetime


class ReductionSeen(Struct, frozen=True, kw_only=True):
    """A row of payments.reductions."""

    reduction_id: UUID
    created_at: datetime
    answered_at: datetime | None


class ProviderSeen(Struct, frozen=True, kw_only=True):
    """How calls to one provider have gone lately, whatever their order."""

    succeeded_at: datetime | None
    tried_at: datetime | None
    unresolved: int


class UnresolvedPayment(Struct, frozen=True, kw_only=True):
    """An order one of whose operations was left to a person."""

    order_id: UUID
    kind: Kind


_PAYMENT: Final = """
    SELECT provider, state, currency, planned_minor, authorised_minor, captured_minor,
        released_minor, returned_minor, refunded_minor, decline_code, created_at, updated_at
    FROM payments.payments WHERE order_id = %(order_id)s::uuid"""

_OPERATIONS: Final = """
    SELECT key, provider, kind, amount_minor, currency, state, attempts, first_attempt_at, next_at,
        possibly_executed, outcome, created_at, updated_at
    FROM payments.operations WHERE order_id = %(order_id)s::uuid
    ORDER BY coalesce(turn, 0), created_at, key"""

_REDUCTIONS: Final = """
    SELECT reduction_id, created_at, answered_at
    FROM payments.reductions WHERE order_id = %(order_id)s::uuid ORDER BY created_at"""

# The newest success is the last entry of its index; what is not resolved is counted up to a limit.
_PROVIDER: Final = """
    SELECT (SELECT max(updated_at) FROM payments.operations
            WHERE provider = %(provider)s::text AND state = 'succeeded') AS succeeded_at,
        max(sent_at) AS tried_at, count(*) AS unresolved
    FROM (
        SELECT sent_at FROM payments.operations
        WHERE provider = %(provider)s::text
            AND state IN ('queued', 'sent', 'accepted', 'unknown', 'manual')
        LIMIT %(rows_max)s) AS open"""

_MANUAL: Final = """
    SELECT order_id, min(kind) AS kind FROM payments.operations
    WHERE state = 'manual' AND order_id > %(after)s::uuid
    GROUP BY order_id ORDER BY order_id LIMIT %(rows_max)s"""


async def payment(connection: Connection, order_id: UUID) -> PaymentSeen | None:
    """Return the payment of an order; None before payments has heard of it."""
    found = await fetch(connection, PaymentSeen, _PAYMENT, order_id=order_id)
    return found[0] if found else None


async def operations(connection: Connection, order_id: UUID) -> Sequence[OperationSeen]:
    """Return the operations of a payment, in their turns."""
    return await fetch(connection, OperationSeen, _OPERATIONS, order_id=order_id)


async def reductions(connection: Connection, order_id: UUID) -> Sequence[ReductionSeen]:
    """Return the reductions of a payment, oldest first."""
    return await fetch(connection, ReductionSeen, _REDUCTIONS, order_id=order_id)


async def provider(connection: Connection, name: str, rows_max: int) -> ProviderSeen:
    """Return how a provider does; at most `rows_max` operations are counted."""
    found = await fetch(connection, ProviderSeen, _PROVIDER, provider=name, rows_max=rows_max)
    return found[0]


async def manual(connection: Connection, after: UUID, rows_max: int) -> list[UnresolvedPayment]:
    """Return orders behind `after` whose payment waits for a person, in order of their ids."""
    return await fetch(connection, UnresolvedPayment, _MANUAL, after=after, rows_max=rows_max)
