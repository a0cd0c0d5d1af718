"""What answers about a shipment do: its money is taken or not, its pieces have left."""

from datetime import datetime
from uuid import UUID

from libs.contracts.inventory import StockShipped
from libs.contracts.payments import CaptureFailed, PaymentCaptured
from libs.domain.orders.answering import Answer, require
from libs.domain.orders.errors import ImpossibleAnswer
from libs.domain.orders.saga import Decision, Situation, unchanged
from libs.domain.orders.shipment import SHIPMENT_NEXT, Shipment, ShipmentState
from libs.domain.orders.shipping import fail_shipment, release_shipment, stock_shipped


def on_payment_captured(situation: Situation, answer: PaymentCaptured, at: datetime) -> Decision:
    shipment = _shipment(situation, answer, answer.shipment_id)
    require(shipment.amount_minor > 0, answer, "no money was asked for")
    if shipment.released:
        return unchanged(situation)
    _require_next(shipment, ShipmentState.RELEASED, answer)
    captured, due_minor = answer.amounts.captured, situation.due_minor + shipment.amount_minor
    require(
        captured.currency == situation.order.currency
        and captured.amount - answer.amounts.returned.amount >= due_minor,
        answer,
        f"{captured.amount} {captured.currency} is less than the {due_minor} due",
    )
    return release_shipment(situation, shipment, answer.amounts, at)


def on_capture_failed(situation: Situation, answer: CaptureFailed, at: datetime) -> Decision:
    shipment = _shipment(situation, answer, answer.shipment_id)
    if shipment.state is ShipmentState.FAILED:
        return unchanged(situation)
    _require_next(shipment, ShipmentState.FAILED, answer)
    return fail_shipment(situation, shipment, answer.code, at)


def on_stock_shipped(situation: Situation, answer: StockShipped, at: datetime) -> Decision:
    shipment = _shipment(situation, answer, answer.shipment_id)
    require(shipment.stock_sent, answer, "no piece was asked to leave")
    if shipment.stock_done:
        return unchanged(situation)
    return stock_shipped(situation, shipment, at)


def _require_next(shipment: Shipment, wanted: ShipmentState, answer: Answer) -> None:
    possible = wanted in SHIPMENT_NEXT[shipment.state]
    require(possible, answer, f"shipment {shipment.id} is {shipment.state}")


def _shipment(situation: Situation, answer: Answer, shipment_id: UUID) -> Shipment:
    for shipment in situation.shipments:
        if shipment.id == shipment_id:
            return shipment
    raise ImpossibleAnswer(answer.order_id, answer.type, f"there is no shipment {shipment_id}")
