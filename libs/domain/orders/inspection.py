"""What is known of one order, and what it waits for."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.domain.orders.refund import Refund
from libs.domain.orders.saga import Saga, Step
from libs.domain.orders.shipment import Shipment
from libs.domain.orders.sql import inspections, refunds, shipments
from libs.domain.orders.sql.inspections import EntrySeen, OrderSeen, SagaTimes
from libs.foundation.database.transaction import Transaction


class OrderFacts(Struct, frozen=True, kw_only=True):
    """An order with its saga, its parts and its timeline, read in one transaction."""

    order: OrderSeen
    saga: Saga
    times: SagaTimes
    timeline: Sequence[EntrySeen]
    shipments: Sequence[Shipment] = ()
    refunds: Sequence[Refund] = ()

    @property
    def moments(self) -> list[datetime]:
        """When something of it was written, and with it perhaps a message."""
        found = [self.times.started_at, self.times.updated_at]
        found += [entry.at for entry in self.timeline]
        found += [part.requested_at for part in (*self.shipments, *self.refunds)]
        released = [each.released_at for each in self.shipments]
        return found + [at for at in released if at is not None]


class Wait(Struct, frozen=True, kw_only=True):
    """Somebody owes the order an answer. `late_at` passed, or taken away by a flag, means late."""

    code: str
    text: str
    late_at: datetime | None

    def is_late(self, at: datetime) -> bool:
        return self.late_at is None or self.late_at <= at


async def inspect_order(tx: Transaction, order_id: UUID) -> OrderFacts | None:
    """Read what is known of an order; None when there is none."""
    order = await inspections.order(tx, order_id)
    saga = await inspections.saga(tx, order_id)
    times = await inspections.saga_times(tx, order_id)
    if order is None or saga is None or times is None:
        return None
    return OrderFacts(
        order=order,
        saga=saga,
        times=times,
        timeline=await inspections.timeline(tx, order_id),
        shipments=(await shipments.read(tx, [order_id])).get(order_id, ()),
        refunds=(await refunds.read(tx, [order_id])).get(order_id, ()),
    )


def waits_of(facts: OrderFacts) -> list[Wait]:
    """Return what the order waits for: the timers that are running, or have run out."""
    return [
        *_saga_waits(facts.saga),
        *(wait for each in facts.shipments for wait in _shipment_waits(each)),
        *(wait for each in facts.refunds for wait in _refund_waits(each)),
    ]


def _saga_waits(saga: Saga) -> Iterator[Wait]:
    at = saga.deadline_at
    if saga.step is Step.RESERVE:
        yield Wait(code="reserving", text="inventory owes whether there is stock", late_at=at)
    if saga.step is Step.AUTHORISE:
        text = "payments owes whether the money is authorised"
        yield Wait(code="authorising", text=text, late_at=at)
    if saga.step is Step.COMPENSATE:
        if saga.release_id is not None and not saga.release_done:
            yield Wait(code="releasing", text="inventory has to give back its stock", late_at=at)
        if saga.reduction_id is not None and not saga.reduction_done:
            yield Wait(code="reducing", text="payments has to give back its money", late_at=at)


def _shipment_waits(shipment: Shipment) -> Iterator[Wait]:
    if shipment.awaits_capture:
        text = f"payments has to take the money of shipment {shipment.id}"
        yield Wait(code="capturing", text=text, late_at=shipment.late_at)
    elif shipment.waiting:
        text = f"inventory has to let the pieces of shipment {shipment.id} leave"
        yield Wait(code="shipping", text=text, late_at=shipment.late_at)


def _refund_waits(refund: Refund) -> Iterator[Wait]:
    if refund.pending:
        text = f"payments has to give back the money of refund {refund.id}"
        yield Wait(code="refunding", text=text, late_at=refund.late_at)
    # A failed refund waits for a person, whatever its pieces do.
    if refund.stock_sent and not refund.stock_done:
        text = f"inventory has to take back the pieces of refund {refund.id}"
        yield Wait(code="returning", text=text, late_at=refund.late_at)
