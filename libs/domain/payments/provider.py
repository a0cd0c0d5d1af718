"""The provider protocol: what payments asks of any payment provider, and how it may answer."""

from datetime import datetime
from typing import ClassVar, Protocol, TypeAlias
from uuid import UUID

from msgspec import Struct

from libs.contracts.money import Money
from libs.foundation.resilience.deadline import Deadline


class Authorisation(Struct, frozen=True, kw_only=True):
    """A request to hold `amount` on what `token` stands for."""

    key: UUID
    order_id: UUID
    amount: Money
    token: str
    external_reference: str | None


class Release(Struct, frozen=True, kw_only=True):
    """A request to give free the rest, `amount`, of the authorisation `reference`."""

    key: UUID
    reference: str
    amount: Money


class Succeeded(Struct, frozen=True, kw_only=True):
    """It is done; `reference` is the provider's own name of what was made or acted on."""

    label: ClassVar[str] = "succeeded"
    reference: str
    capture_before: datetime | None = None


class Declined(Struct, frozen=True, kw_only=True):
    """The provider refused for good; `code` is one of DECLINE_CODES."""

    label: ClassVar[str] = "declined"
    code: str


class Accepted(Struct, frozen=True, kw_only=True):
    """The provider took the request and answers later."""

    label: ClassVar[str] = "accepted"


class NotExecuted(Struct, frozen=True, kw_only=True):
    """The request provably had no effect; `attempted` is False if it was never even tried."""

    label: ClassVar[str] = "not_executed"
    reason: str
    attempted: bool = True
    retry_after_ms: int | None = None


class Unknown(Struct, frozen=True, kw_only=True):
    """The request may have had its effect."""

    label: ClassVar[str] = "unknown"
    reason: str


class Unresolvable(Struct, frozen=True, kw_only=True):
    """The effect can no longer be learned by asking: the provider has forgotten the key."""

    label: ClassVar[str] = "unresolvable"
    reason: str


Outcome: TypeAlias = Succeeded | Declined | Accepted | NotExecuted | Unknown | Unresolvable

DECLINE_CODES = frozenset(
    {
        "card_declined",
        "insufficient_funds",
        "authentication_required",
        "source_expired",
        "source_invalid",
        "fraud_suspected",
        "authorisation_mismatch",
        "amount_unsupported",
        "other",
    }
)


class PaymentProvider(Protocol):
    """An adapter to one provider.

    Every method ends by its deadline and never raises for what the provider or the network does.
    A repeated key with the same request has one effect and one answer.
    """

    @property
    def name(self) -> str: ...
    async def authorise(self, request: Authorisation, deadline: Deadline) -> Outcome: ...
    async def release(self, request: Release, deadline: Deadline) -> Outcome: ...

    async def lookup(self, key: UUID, deadline: Deadline) -> Outcome | None:
        """Return what became of `key`, or None if the provider has clearly never seen it."""
        ...
