"""Asks for the money of orders whose stock is held, and confirms those that cost nothing."""

from collections.abc import Sequence

from libs.contracts.inventory import StockReserved
from libs.domain.orders.answers import on_stock_reserved
from libs.domain.orders.use_cases.advance_sagas import advance
from libs.foundation.database.transaction import Transaction


async def authorise_payments(tx: Transaction, reserved: Sequence[StockReserved]) -> None:
    await advance(tx, reserved, on_stock_reserved)
