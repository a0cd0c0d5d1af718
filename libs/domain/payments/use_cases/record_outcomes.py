"""Records what the provider answered: one compare-and-set decides, losers change nothing."""

from collections.abc import Sequence
from datetime import datetime

from libs.domain.payments.change import Change
from libs.domain.payments.operation import Operation
from libs.domain.payments.settlement import Attempted, Patience, settle
from libs.domain.payments.sql import operations, payments, reductions
from libs.domain.payments.use_cases.agendas import agendas_of
from libs.domain.payments.use_cases.apply_changes import apply_changes
from libs.foundation.database.transaction import Transaction


async def record_outcomes(
    tx: Transaction, attempts: Sequence[Attempted], now: datetime, patience: Patience
) -> list[Operation]:
    """Settle what the outcomes settle, and return the operations they changed.

    Answers, polls and webhooks all come here. `attempts` name different payments: of one payment
    only one operation is ever under way.
    """
    order_ids = [attempted.order_id for attempted in attempts]
    locked = await payments.lock(tx, order_ids)
    found = await operations.lock(tx, order_ids, [attempted.key for attempted in attempts])
    agendas = agendas_of(order_ids, found, await reductions.of(tx, order_ids))
    by_order = {payment.order_id: payment for payment in locked}
    by_key = {operation.key: operation for operation in found}
    changes: list[Change] = []
    for attempted in attempts:
        change = settle(
            by_order[attempted.order_id],
            by_key[attempted.key],
            agendas[attempted.order_id],
            attempted,
            now=now,
            patience=patience,
        )
        if change is not None:
            changes.append(change)
    await apply_changes(tx, locked, changes)
    return [change.resolved for change in changes if change.resolved is not None]
