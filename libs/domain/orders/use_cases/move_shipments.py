"""Takes answers about shipments: their money is taken or not, their pieces have left."""

from collections.abc import Sequence

from libs.contracts.inventory import StockShipped
from libs.contracts.payments import CaptureFailed, PaymentCaptured
from libs.domain.orders.shipment_answers import (
    on_capture_failed,
    on_payment_captured,
    on_stock_shipped,
)
from libs.domain.orders.use_cases.advance_sagas import advance
from libs.foundation.database.transaction import Transaction


async def release_shipments(tx: Transaction, captured: Sequence[PaymentCaptured]) -> None:
    await advance(tx, captured, on_payment_captured)


async def fail_shipments(tx: Transaction, failed: Sequence[CaptureFailed]) -> None:
    await advance(tx, failed, on_capture_failed)


async def record_stock_shipped(tx: Transaction, shipped: Sequence[StockShipped]) -> None:
    await advance(tx, shipped, on_stock_shipped)
