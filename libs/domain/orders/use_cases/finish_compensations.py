"""Records that stock and money of closed orders are given back, and shows the money."""

from collections.abc import Sequence

from libs.contracts.inventory import StockReleased
from libs.contracts.payments import PaymentReduced
from libs.domain.orders.answers import on_payment_reduced, on_stock_released
from libs.domain.orders.use_cases.advance_sagas import advance
from libs.foundation.database.transaction import Transaction


async def finish_releases(tx: Transaction, released: Sequence[StockReleased]) -> None:
    await advance(tx, released, on_stock_released)


async def finish_reductions(tx: Transaction, reduced: Sequence[PaymentReduced]) -> None:
    await advance(tx, reduced, on_payment_reduced)
