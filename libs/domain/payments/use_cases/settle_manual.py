"""Settles one operation that was left to a person, as the state of its payment allows."""

from datetime import datetime
from uuid import UUID

from libs.domain.payments.manual import decide, objection
from libs.domain.payments.provider import Outcome
from libs.domain.payments.settlement import Patience
from libs.domain.payments.sql import operations, payments, reductions
from libs.domain.payments.use_cases.agendas import agendas_of
from libs.domain.payments.use_cases.apply_changes import apply_changes
from libs.foundation.database.transaction import Transaction


async def settle_manual(
    tx: Transaction,
    order_id: UUID,
    key: UUID,
    heard: Outcome | None,
    *,
    by_hand: bool,
    now: datetime,
    patience: Patience,
) -> str:
    """Return what came of it, in the words of an answer to an operator."""
    locked = await payments.lock(tx, [order_id])
    found = await operations.lock(tx, [order_id], [key])
    operation = next(each for each in found if each.key == key)
    reason = objection(operation, heard, by_hand=by_hand)
    if reason is not None:
        return f"refused: {reason}"
    agenda = agendas_of([order_id], found, await reductions.of(tx, [order_id]))[order_id]
    change = decide(locked[0], operation, agenda, heard, now=now, patience=patience)
    if change is None or change.resolved is None:
        return "refused: it was decided meanwhile"
    await apply_changes(tx, locked, [change])
    return f"settled: {operation.kind} is {change.resolved.state}"
