"""The operation: one call to the provider under a stable key, from queued to resolved."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from msgspec import Struct


class Kind(StrEnum):
    """What the provider is asked to do."""

    AUTHORISE = "authorise"
    CAPTURE = "capture"
    RELEASE = "release"
    RETURN = "return"  # To the provider a refund; to us no refund, but the end of a reduction.
    REFUND = "refund"


class OperationState(StrEnum):
    """How much is known of the call's effect."""

    QUEUED = "queued"  # Provably not executed; without a `next_at` it waits for its turn.
    SENT = "sent"  # A dispatcher claimed it; its process may have died since.
    ACCEPTED = "accepted"  # The provider answers later.
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    FAILED = "failed"  # Given up, provably not executed.
    MANUAL = "manual"  # Given up, effect not known: a person decides.


RESOLVABLE: Final = frozenset(
    {
        OperationState.QUEUED,
        OperationState.SENT,
        OperationState.ACCEPTED,
        OperationState.UNKNOWN,
    }
)


# The turn of an operation that is not stored yet: behind everything that is.
NEWEST: Final = 2**63 - 1


class Operation(Struct, frozen=True, kw_only=True):
    """A row of payments.operations.

    `subject_id` is the shipment, refund, reduction or order it is for, `subject_attempt` how often
    that subject was asked for. `target_reference` names what the call acts on,
    `provider_reference` what a success made; `first_attempt_at` is None until a call was really
    tried; `attempts` counts the claims; operations of one payment take place in order of `turn`.
    """

    key: UUID
    order_id: UUID
    provider: str
    kind: Kind
    subject_id: UUID
    subject_attempt: int = 1
    amount_minor: int
    currency: str
    source_value: str | None = None
    external_reference: str | None = None
    target_reference: str | None = None
    state: OperationState = OperationState.QUEUED
    provider_reference: str | None = None
    attempts: int = 0
    first_attempt_at: datetime | None = None
    sent_at: datetime | None = None
    next_at: datetime | None
    deadline_at: datetime | None = None
    possibly_executed: bool = False
    outcome: str | None = None
    traceparent: str | None = None
    turn: int = NEWEST

    @property
    def resolvable(self) -> bool:
        return self.state in RESOLVABLE

    @property
    def waits(self) -> bool:
        """Say whether earlier operations of the payment come first."""
        return self.state is OperationState.QUEUED and self.next_at is None

    @property
    def provably_idle(self) -> bool:
        """Say whether no call is under way and none ever had an effect."""
        return self.state is OperationState.QUEUED and not self.possibly_executed


def operation_key(order_id: UUID, kind: Kind, subject_id: UUID, attempt: int = 1) -> UUID:
    """Return the key under which the provider knows the operation; the same after any crash."""
    return uuid5(order_id, f"{kind}:{subject_id}:{attempt}")
