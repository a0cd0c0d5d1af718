"""Rejects orders that cannot be had or cannot be paid, and undoes what was asked for."""

from collections.abc import Sequence

from libs.contracts.inventory import StockRejected
from libs.contracts.payments import PaymentDeclined
from libs.domain.orders.answers import on_payment_declined, on_stock_rejected
from libs.domain.orders.use_cases.advance_sagas import advance
from libs.foundation.database.transaction import Transaction


async def reject_out_of_stock(tx: Transaction, rejected: Sequence[StockRejected]) -> None:
    await advance(tx, rejected, on_stock_rejected)


async def reject_unpaid(tx: Transaction, declined: Sequence[PaymentDeclined]) -> None:
    await advance(tx, declined, on_payment_declined)
