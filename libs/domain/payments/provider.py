"""The provider protocol: what payments asks of any payment provider, and how it may answer."""

from datetime import datetime
from typing import ClassVar, Final, Protocol, TypeAlias
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


class Capture(Struct, frozen=True, kw_only=True):
    """A request to take `amount` of what the authorisation `reference` holds."""

    key: UUID
    reference: str
    amount: Money


class Release(Struct, frozen=True, kw_only=True):
    """A request to give free the rest, `amount`, of the authorisation `reference`."""

    key: UUID
    reference: str
    amount: Money


class Refund(Struct, frozen=True, kw_only=True):
    """A request to give back `amount` of what was captured of the authorisation `reference`."""

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
AMOUNT_UNSUPPORTED: Final = "amount_unsupported"


class Notice(Struct, frozen=True, kw_only=True):
    """What a webhook says: the operation under `key` came to `outcome`."""

    key: UUID
    outcome: Succeeded | Declined


class ProviderObject(Struct, frozen=True, kw_only=True):
    """One object in the provider's books; `key` is None if it was not made under a key of ours.

    `kind` is authorise, capture or refund. The amounts of an authorisation are those of everything
    that was done to it; None with other kinds.
    """

    kind: str
    reference: str
    key: UUID | None
    order_reference: str
    amount: Money
    succeeded: bool
    captured_minor: int | None = None
    released_minor: int | None = None
    refunded_minor: int | None = None


class ObjectPage(Struct, frozen=True, kw_only=True):
    """A page of the provider's books, oldest first; `next_cursor` is None on the last."""

    objects: tuple[ProviderObject, ...]
    next_cursor: str | None


class PaymentProvider(Protocol):
    """An adapter to one provider.

    Every method ends by its deadline and never raises for what the provider or the network does.
    A repeated key with the same request has one effect and one answer. An amount that the
    provider cannot express is declined `amount_unsupported` before any call.
    """

    @property
    def name(self) -> str: ...
    async def authorise(self, request: Authorisation, deadline: Deadline) -> Outcome: ...
    async def capture(self, request: Capture, deadline: Deadline) -> Outcome: ...
    async def release(self, request: Release, deadline: Deadline) -> Outcome: ...
    async def refund(self, request: Refund, deadline: Deadline) -> Outcome: ...

    async def lookup(self, key: UUID, deadline: Deadline) -> Outcome | None:
        """Return what became of `key`, or None if the provider has clearly never seen it."""
        ...

    async def objects(
        self, since: datetime, cursor: str | None, deadline: Deadline
    ) -> ObjectPage | NotExecuted | Unknown:
        """Return a page of the objects made at `since` or later; None begins at the first."""
        ...

    def notice(self, body: bytes) -> Notice | None:
        """Read a webhook whose signature was checked; None if it decides no operation."""
        ...
