"""Commands to payments and its events; the aggregate is the payment, named by its order."""

from datetime import datetime
from typing import ClassVar, Final
from uuid import UUID

from msgspec import Struct, field

from libs.contracts import topics
from libs.contracts.messages import Command, Event, decoders
from libs.contracts.money import Money
from libs.contracts.topics import Topic


class PaymentSource(Struct, frozen=True, kw_only=True):
    """Where the money comes from; `kind` is token (Orderly authorises) or authorisation."""

    provider: str
    kind: str
    value: str


class Amounts(Struct, frozen=True, kw_only=True):
    """The whole money state of one payment."""

    planned: Money
    due: Money
    authorised: Money
    captured: Money
    released: Money
    returned: Money
    refunded: Money


class PaymentCommand(Command, frozen=True, kw_only=True):
    """Asked by orders of payments, about one order."""

    topic: ClassVar[Topic] = topics.PAYMENTS_COMMANDS
    source: ClassVar[str] = "/orderly/orders"
    aggregate_type: ClassVar[str] = "order"

    order_id: UUID

    @property
    def subject(self) -> str:
        return str(self.order_id)


class AuthorisePayment(PaymentCommand, frozen=True, kw_only=True):
    """Hold the money. After `deadline_at` an operation provably not executed is given up."""

    type: ClassVar[str] = "payments.authorise_payment.v1"
    amount: Money
    payment_source: PaymentSource = field(name="source")  # `source` is the CloudEvents one here.
    external_reference: str | None
    deadline_at: datetime


class CapturePayment(PaymentCommand, frozen=True, kw_only=True):
    """Take held money for one shipment, before it is handed over."""

    type: ClassVar[str] = "payments.capture_payment.v1"
    shipment_id: UUID
    amount: Money


class RefundPayment(PaymentCommand, frozen=True, kw_only=True):
    """Give captured money back; each `attempt`, from 1, is an operation under its own key."""

    type: ClassVar[str] = "payments.refund_payment.v1"
    refund_id: UUID
    attempt: int
    amount: Money


class ReducePayment(PaymentCommand, frozen=True, kw_only=True):
    """Plan for less; None is all of it. `payment_source` only if authorise was never sent."""

    type: ClassVar[str] = "payments.reduce_payment.v1"
    reduction_id: UUID
    amount: Money | None = None
    payment_source: PaymentSource | None = field(default=None, name="source")


class PaymentEvent(Event, frozen=True, kw_only=True):
    """A fact about the payment of one order."""

    topic: ClassVar[Topic] = topics.PAYMENTS_EVENTS
    source: ClassVar[str] = "/orderly/payments"
    aggregate_type: ClassVar[str] = "payment"

    order_id: UUID

    @property
    def subject(self) -> str:
        return str(self.order_id)


class PaymentAuthorised(PaymentEvent, frozen=True, kw_only=True):
    """The money is held until `capture_before`."""

    type: ClassVar[str] = "payments.payment_authorised.v1"
    amounts: Amounts
    capture_before: datetime | None


class PaymentDeclined(PaymentEvent, frozen=True, kw_only=True):
    """No money is held; `timed_out` and `superseded` are codes beside the provider's."""

    type: ClassVar[str] = "payments.payment_declined.v1"
    decline_code: str


class PaymentCaptured(PaymentEvent, frozen=True, kw_only=True):
    """The money of one shipment is taken."""

    type: ClassVar[str] = "payments.payment_captured.v1"
    shipment_id: UUID
    amounts: Amounts


class CaptureFailed(PaymentEvent, frozen=True, kw_only=True):
    """Nothing was taken for the shipment and nothing will be; `code` says why."""

    type: ClassVar[str] = "payments.capture_failed.v1"
    shipment_id: UUID
    code: str


class RefundSucceeded(PaymentEvent, frozen=True, kw_only=True):
    """The money of the refund is given back."""

    type: ClassVar[str] = "payments.refund_succeeded.v1"
    refund_id: UUID
    attempt: int
    amounts: Amounts


class RefundFailed(PaymentEvent, frozen=True, kw_only=True):
    """This attempt gave nothing back and never will; a person decides about the next."""

    type: ClassVar[str] = "payments.refund_failed.v1"
    refund_id: UUID
    attempt: int
    code: str


class PaymentReduced(PaymentEvent, frozen=True, kw_only=True):
    """The reduction is done at the provider, or nothing was left to do."""

    type: ClassVar[str] = "payments.payment_reduced.v1"
    reduction_id: UUID
    amounts: Amounts


class PaymentUnresolved(PaymentEvent, frozen=True, kw_only=True):
    """An operation's outcome could not be learned; a person decides.

    `subject_id` is the shipment, refund or reduction it belongs to, the order for `authorise`.
    """

    type: ClassVar[str] = "payments.payment_unresolved.v1"
    operation: str
    reason: str
    subject_id: UUID | None = None


COMMAND_DECODERS: Final = decoders(AuthorisePayment, CapturePayment, RefundPayment, ReducePayment)
EVENT_DECODERS: Final = decoders(
    PaymentAuthorised,
    PaymentDeclined,
    PaymentCaptured,
    CaptureFailed,
    RefundSucceeded,
    RefundFailed,
    PaymentReduced,
    PaymentUnresolved,
)
