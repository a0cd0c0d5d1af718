"""Flags orders whose payment needs a person, because the provider's outcome is unknown."""

from collections.abc import Sequence

from libs.contracts.payments import PaymentUnresolved
from libs.domain.orders.payment_unresolved import on_payment_unresolved
from libs.domain.orders.use_cases.advance_sagas import advance
from libs.foundation.database.transaction import Transaction


async def flag_unresolved_payments(
    tx: Transaction, unresolved: Sequence[PaymentUnresolved]
) -> None:
    await advance(tx, unresolved, on_payment_unresolved)
