"""The order: one version per fact, and with each version the event that announces it."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, TypedDict
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.contracts.money import Money
from libs.contracts.orders import (
    AttentionCleared,
    AttentionRaised,
    Destination,
    OrderCancelled,
    OrderConfirmed,
    OrderRejected,
    PaymentReleased,
    PickLine,
    ShortItem,
    ValuedLine,
)
from libs.contracts.payments import Amounts, PaymentAuthorised
from libs.domain.orders.status import CLOSED, NEXT, IllegalTransition, Status


class PaymentStatus(StrEnum):
    """Orders' own copy of the payment's state; it changes only with a version."""

    NONE = "none"
    AUTHORISED = "authorised"
    SETTLED = "settled"
    DECLINED = "declined"
    VOIDED = "voided"


class RejectionReason(StrEnum):
    OUT_OF_STOCK = "out_of_stock"
    PAYMENT_DECLINED = "payment_declined"
    TIMED_OUT = "timed_out"


class Rejection(Struct, frozen=True, kw_only=True):
    """Why an order was not sold; shown to its customer."""

    reason: RejectionReason
    short: tuple[ShortItem, ...] = ()
    decline_code: str | None = None


class Line(Struct, frozen=True, kw_only=True):
    """One position with its counters; units leave from the front and are cancelled from the back.

    Units are refunded from the front of what is shipped; `restocked` of them came back.
    """

    line_no: int
    sku: str
    name: str
    quantity: int
    stock_tracked: bool
    tax_minor: int
    total_minor: int
    shipped: int = 0
    cancelled: int = 0
    refunded: int = 0
    restocked: int = 0

    @property
    def open(self) -> int:
        """Units in no shipment and no cancellation."""
        return self.quantity - self.shipped - self.cancelled


class Cancellation(Struct, frozen=True, kw_only=True):
    """Units taken back, with their exact value; shipping is part of `value_minor` if it goes."""

    id: UUID
    reason: str
    lines: tuple[ValuedLine, ...]
    value_minor: int


class _Head(TypedDict):
    order_id: UUID
    number: str
    external_reference: str | None
    customer_id: str | None
    channel: str | None
    currency: str
    version: int
    status: str
    occurred_at: datetime


_PAYMENT_REFUSED: Final = frozenset({RejectionReason.PAYMENT_DECLINED, RejectionReason.TIMED_OUT})


class Order(Struct, frozen=True, kw_only=True):
    """A row of orders.orders, as far as its steps need it; every step returns the next version."""

    id: UUID
    number: int
    external_reference: str | None
    customer_id: str | None
    channel: str | None
    status: Status
    version: int
    currency: str
    total_minor: int
    shipping_method: str | None
    shipping_total_minor: int
    shipping_tax_minor: int
    destination_country: str | None
    destination_region: str | None
    payment_status: PaymentStatus = PaymentStatus.NONE
    authorised_minor: int = 0
    captured_minor: int = 0
    released_minor: int = 0
    returned_minor: int = 0
    refunded_minor: int = 0
    capture_before: datetime | None = None
    rejection: Rejection | None = None
    attention: tuple[str, ...] = ()
    confirmed_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def aggregate_id(self) -> str:
        return str(self.id)

    @property
    def closed(self) -> bool:
        return self.status in CLOSED

    @property
    def total(self) -> Money:
        return self.money(self.total_minor)

    @property
    def destination(self) -> Destination | None:
        if self.destination_country is None:
            return None
        return Destination(country=self.destination_country, region=self.destination_region)

    def money(self, amount_minor: int) -> Money:
        return Money(amount=amount_minor, currency=self.currency)

    def head(self, at: datetime) -> _Head:
        """Return the fields every order event begins with."""
        return {
            "order_id": self.id,
            "number": str(self.number),
            "external_reference": self.external_reference,
            "customer_id": self.customer_id,
            "channel": self.channel,
            "currency": self.currency,
            "version": self.version,
            "status": self.status.value,
            "occurred_at": at,
        }

    def confirm(
        self, lines: Sequence[Line], at: datetime, paid: PaymentAuthorised | None = None
    ) -> tuple["Order", OrderConfirmed]:
        """Release the order to picking; `paid` is None only for an order that costs nothing."""
        confirmed = replace(self.become(Status.CONFIRMED, at), confirmed_at=at)
        if paid is not None:
            confirmed = replace(
                confirmed.with_amounts(paid.amounts, PaymentStatus.AUTHORISED),
                capture_before=paid.capture_before,
            )
        return confirmed, OrderConfirmed(
            **confirmed.head(at),
            lines=tuple(_pick(line) for line in lines),
            shipping_method=self.shipping_method,
            destination=self.destination,
            total=self.total,
            capture_before=confirmed.capture_before,
        )

    def reject(self, rejection: Rejection, at: datetime) -> tuple["Order", OrderRejected]:
        """Refuse the sale; the external reference becomes free again."""
        rejected = replace(self.become(Status.REJECTED, at), rejection=rejection)
        if rejection.reason in _PAYMENT_REFUSED:
            rejected = replace(rejected, payment_status=PaymentStatus.DECLINED)
        return rejected, OrderRejected(
            **rejected.head(at),
            reason=rejection.reason.value,
            short=rejection.short,
            decline_code=rejection.decline_code,
        )

    def cancel(self, cancellation: Cancellation, at: datetime) -> tuple["Order", OrderCancelled]:
        """Take back every unit; final at once, stock and money follow."""
        cancelled = self.become(Status.CANCELLED, at)
        return cancelled, OrderCancelled(
            **cancelled.head(at),
            cancellation_id=cancellation.id,
            reason=cancellation.reason,
            lines=cancellation.lines,
            value=self.money(cancellation.value_minor),
        )

    def release_payment(self, amounts: Amounts, at: datetime) -> tuple["Order", PaymentReleased]:
        """Show that the money of this closed order is given back."""
        copied = self.next_version().with_amounts(amounts, PaymentStatus.VOIDED)
        return copied, PaymentReleased(
            **copied.head(at), released=amounts.released, returned=amounts.returned
        )

    def raise_attention(
        self, code: str, detail: str | None, at: datetime
    ) -> tuple["Order", AttentionRaised]:
        """Flag the order for a person; nothing is blocked."""
        flagged = replace(self.next_version(), attention=(*self.attention, code))
        return flagged, AttentionRaised(**flagged.head(at), code=code, detail=detail)

    def clear_attention(self, code: str, at: datetime) -> tuple["Order", AttentionCleared]:
        """Take a flag away once its reason is gone."""
        remaining = tuple(flag for flag in self.attention if flag != code)
        cleared = replace(self.next_version(), attention=remaining)
        return cleared, AttentionCleared(**cleared.head(at), code=code)

    def become(self, wanted: Status, at: datetime) -> "Order":
        """Return the next version in another status; the first close is the one that is shown."""
        self.require(wanted)
        closed_at = (self.closed_at or at) if wanted in CLOSED else None
        return replace(self.next_version(), status=wanted, closed_at=closed_at)

    def require(self, wanted: Status) -> None:
        """Raise IllegalTransition unless the order may become `wanted`."""
        if wanted not in NEXT[self.status]:
            raise IllegalTransition(self.id, self.status, wanted)

    def next_version(self) -> "Order":
        return replace(self, version=self.version + 1)

    def with_amounts(self, amounts: Amounts, payment_status: PaymentStatus) -> "Order":
        """Copy the payment's sums; each only grows, so an overtaken answer takes nothing back."""
        return replace(
            self,
            payment_status=payment_status,
            authorised_minor=max(self.authorised_minor, amounts.authorised.amount),
            captured_minor=max(self.captured_minor, amounts.captured.amount),
            released_minor=max(self.released_minor, amounts.released.amount),
            returned_minor=max(self.returned_minor, amounts.returned.amount),
            refunded_minor=max(self.refunded_minor, amounts.refunded.amount),
        )


def _pick(line: Line) -> PickLine:
    return PickLine(
        line_no=line.line_no,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity - line.cancelled,
    )
