"""Takes answers about refunds: their money is back or not, their pieces are in the stock again."""

from collections.abc import Sequence

from libs.contracts.inventory import StockReturned
from libs.contracts.payments import RefundFailed, RefundSucceeded
from libs.domain.orders.refund_answers import (
    on_refund_failed,
    on_refund_succeeded,
    on_stock_returned,
)
from libs.domain.orders.use_cases.advance_sagas import advance
from libs.foundation.database.transaction import Transaction


async def finish_refunds(tx: Transaction, succeeded: Sequence[RefundSucceeded]) -> None:
    await advance(tx, succeeded, on_refund_succeeded)


async def fail_refunds(tx: Transaction, failed: Sequence[RefundFailed]) -> None:
    await advance(tx, failed, on_refund_failed)


async def record_stock_returned(tx: Transaction, returned: Sequence[StockReturned]) -> None:
    await advance(tx, returned, on_stock_returned)
