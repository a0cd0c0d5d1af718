"""The payment: all money of one order at one provider, and the steps it may take."""

from collections.abc import Mapping
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
    SETTLED = "settled"  # Captured, and nothing is held any more.
    DECLINED = "declined"
    VOIDED = "voided"


class Step(StrEnum):
    """What may happen to a payment."""

    AUTHORISE = "authorise"
    DECLINE = "decline"
    CAPTURE = "capture"
    REDUCE = "reduce"
    RELEASE = "release"
    RETURN = "return"
    REFUND = "refund"


# The one table of what may follow what; a step that is not in it is refused.
NEXT: Final[Mapping[tuple[State, Step], frozenset[State]]] = {
    (State.PENDING, Step.AUTHORISE): frozenset({State.AUTHORISED}),
    (State.PENDING, Step.DECLINE): frozenset({State.DECLINED}),
    (State.PENDING, Step.REDUCE): frozenset({State.PENDING, State.VOIDED}),
    (State.AUTHORISED, Step.CAPTURE): frozenset({State.AUTHORISED, State.SETTLED}),
    (State.AUTHORISED, Step.REDUCE): frozenset({State.AUTHORISED}),
    (State.AUTHORISED, Step.RELEASE): frozenset({State.SETTLED, State.VOIDED}),
    (State.AUTHORISED, Step.RETURN): frozenset({State.AUTHORISED}),
    (State.AUTHORISED, Step.REFUND): frozenset({State.AUTHORISED}),
    (State.SETTLED, Step.REDUCE): frozenset({State.SETTLED}),
    (State.SETTLED, Step.RETURN): frozenset({State.SETTLED}),
    (State.SETTLED, Step.REFUND): frozenset({State.SETTLED}),
    (State.DECLINED, Step.REDUCE): frozenset({State.DECLINED}),
    # A call that was under way when the order gave up may still end either way.
    (State.VOIDED, Step.AUTHORISE): frozenset({State.VOIDED}),
    (State.VOIDED, Step.DECLINE): frozenset({State.VOIDED}),
    (State.VOIDED, Step.REDUCE): frozenset({State.VOIDED}),
    (State.VOIDED, Step.RELEASE): frozenset({State.VOIDED}),
}


class Payment(Struct, frozen=True, kw_only=True):
    """A row of payments.payments; amounts are minor units of `currency`.

    `planned` is the most the payment may still come to, `due` what its captured shipments came
    to; `returned` is captured money given back because planned fell, `refunded` because somebody
    was given a refund.
    """

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
    def kept_minor(self) -> int:
        """What was captured and not returned; refunds are another matter."""
        return self.captured_minor - self.returned_minor

    @property
    def excess_minor(self) -> int:
        """What was captured above the plan, as far as no refund has given it back."""
        return max(0, self.kept_minor - max(self.planned_minor, self.refunded_minor))

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
        self._demand(Step.AUTHORISE, possible=self.authorised_minor == 0)
        void = self.state is State.VOIDED
        return replace(
            self._become(Step.AUTHORISE, State.VOIDED if void else State.AUTHORISED),
            authorised_minor=amount_minor,
            provider_reference=reference,
            capture_before=capture_before,
        )

    def decline(self, code: str) -> "Payment":
        """Record that the provider holds no money; a voided payment stays voided."""
        void = self.state is State.VOIDED
        declined = self._become(Step.DECLINE, State.VOIDED if void else State.DECLINED)
        return replace(declined, decline_code=code)

    def capture(self, amount_minor: int) -> "Payment":
        """Record that held money was taken; `due` never passes what is still planned."""
        self._demand(Step.CAPTURE, possible=amount_minor <= self.open_minor)
        settled = amount_minor == self.open_minor
        return replace(
            self._become(Step.CAPTURE, State.SETTLED if settled else State.AUTHORISED),
            captured_minor=self.captured_minor + amount_minor,
            due_minor=min(self.due_minor + amount_minor, self.planned_minor),
        )

    def plan_less(self, amount_minor: int | None) -> "Payment":
        """Plan for `amount_minor` less, None for nothing; held money keeps the state."""
        less = self.planned_minor if amount_minor is None else amount_minor
        void = self.state is State.VOIDED
        self._demand(Step.REDUCE, possible=less <= self.planned_minor or void)
        planned = max(0, self.planned_minor - less)
        ends = self.state is State.PENDING and planned == 0
        return replace(
            self._become(Step.REDUCE, State.VOIDED if ends else self.state),
            planned_minor=planned,
            due_minor=min(self.due_minor, planned),
        )

    def release(self, amount_minor: int) -> "Payment":
        """Record that the provider gave the held rest free."""
        self._demand(Step.RELEASE, possible=amount_minor == self.open_minor)
        return replace(
            self._become(Step.RELEASE, State.SETTLED if self.captured_minor else State.VOIDED),
            released_minor=self.released_minor + amount_minor,
        )

    def give_back(self, amount_minor: int) -> "Payment":
        """Record that what was captured above the plan is returned."""
        self._demand(Step.RETURN, possible=amount_minor <= self.excess_minor)
        returned = self.returned_minor + amount_minor
        return replace(self._become(Step.RETURN, self.state), returned_minor=returned)

    def refund(self, amount_minor: int) -> "Payment":
        """Record that captured money was refunded."""
        refundable = self.kept_minor - self.refunded_minor
        self._demand(Step.REFUND, possible=amount_minor <= refundable)
        refunded = self.refunded_minor + amount_minor
        return replace(self._become(Step.REFUND, self.state), refunded_minor=refunded)

    def announced(self, events: int) -> "Payment":
        """Count `events` more events of this payment."""
        return replace(self, sequence=self.sequence + events)

    def _become(self, step: Step, wanted: State) -> "Payment":
        self._demand(step, possible=wanted in NEXT.get((self.state, step), frozenset()))
        return replace(self, state=wanted)

    def _demand(self, step: Step, *, possible: bool) -> None:
        if not possible:
            raise IllegalPaymentStep(self.order_id, self.state, step)

    def _money(self, amount_minor: int) -> Money:
        return Money(amount=amount_minor, currency=self.currency)
