"""The payment: all money of one order at one provider, and the steps it may take."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.money import Money
from libs.contracts.payments import Amounts
from libs.domain.payments.errors import IllegalPaymentStep

# ISO 4217 has a code for "no currency": a payment that ended before it began never had one.
NO_CURRENCY: Final = "X" * 3
NO_PROVIDER: Final = "none"


class State(StrEnum):
    """Where the money of an order stands."""

    PENDING = "pending"
    AUTHORISED = "authorised"
    DECLINED = "declined"
    VOIDED = "voided"


class Payment(Struct, frozen=True, kw_only=True):
    """A row of payments.payments; amounts are minor units of `currency`."""

    order_id: UUID
    provider: str
    provider_reference: str | None = None
    source_kind: str
    state: State
    currency: str
    planned_minor: int
    due_minor: int = 0
    authorised_minor: int = 0
    captured_minor: int = 0
    released_minor: int = 0
    returned_minor: int = 0
    refunded_minor: int = 0
    capture_before: datetime | None = None
    decline_code: str | None = None
    sequence: int = 0

    @property
    def aggregate_id(self) -> str:
        return str(self.order_id)

    @property
    def open_minor(self) -> int:
        """What the provider still holds for us."""
        return self.authorised_minor - self.captured_minor - self.released_minor

    @property
    def amounts(self) -> Amounts:
        return Amounts(
            planned=self._money(self.planned_minor),
            due=self._money(self.due_minor),
            authorised=self._money(self.authorised_minor),
            captured=self._money(self.captured_minor),
            released=self._money(self.released_minor),
            returned=self._money(self.returned_minor),
            refunded=self._money(self.refunded_minor),
        )

    def authorise(
        self, amount_minor: int, reference: str, capture_before: datetime | None
    ) -> "Payment":
        """Record that the provider holds the money; a voided payment stays voided."""
        if self.state not in (State.PENDING, State.VOIDED) or self.authorised_minor > 0:
            raise IllegalPaymentStep(self.order_id, self.state, "authorise")
        return replace(
            self,
            state=State.AUTHORISED if self.state is State.PENDING else State.VOIDED,
            authorised_minor=amount_minor,
            provider_reference=reference,
            capture_before=capture_before,
        )

    def decline(self, code: str) -> "Payment":
        """Record that the provider holds no money; a voided payment stays voided."""
        if self.state not in (State.PENDING, State.VOIDED):
            raise IllegalPaymentStep(self.order_id, self.state, "decline")
        state = State.DECLINED if self.state is State.PENDING else State.VOIDED
        return replace(self, state=state, decline_code=code)

    def plan_nothing(self) -> "Payment":
        """Plan for no money at all; held money keeps the state until it is released."""
        void = self.state is State.PENDING
        return replace(self, planned_minor=0, state=State.VOIDED if void else self.state)

    def release(self, amount_minor: int) -> "Payment":
        """Record that the provider gave held money free."""
        if amount_minor > self.open_minor:
            raise IllegalPaymentStep(self.order_id, self.state, "release")
        return replace(self, state=State.VOIDED, released_minor=self.released_minor + amount_minor)

    def announced(self, events: int) -> "Payment":
        """Count `events` more events of this payment."""
        return replace(self, sequence=self.sequence + events)

    def _money(self, amount_minor: int) -> Money:
        return Money(amount=amount_minor, currency=self.currency)
