"""Confirms orders whose money is authorised."""

from collections.abc import Sequence

from libs.contracts.payments import PaymentAuthorised
from libs.domain.orders.answers import on_payment_authorised
from libs.domain.orders.use_cases.advance_sagas import advance
from libs.foundation.database.transaction import Transaction


async def confirm_orders(tx: Transaction, paid: Sequence[PaymentAuthorised]) -> None:
    await advance(tx, paid, on_payment_authorised)
