"""Writes decisions about locked payments, and announces them in the same transaction."""

from collections.abc import Sequence

from libs.domain.payments.agenda import Reduction
from libs.domain.payments.change import Change
from libs.domain.payments.payment import Payment
from libs.domain.payments.sql import operations, payments, reductions
from libs.foundation.database.transaction import Locked, Transaction
from libs.foundation.messaging import outbox
from libs.foundation.messaging.outbox import Outgoing


async def apply_changes(
    tx: Transaction, locked: Locked[Payment], changes: Sequence[Change]
) -> None:
    """Write `changes`, at most one per payment, of payments whose locks are held."""
    before = {payment.order_id: payment for payment in locked}
    changed = [
        change.payment for change in changes if change.payment != before[change.payment.order_id]
    ]
    await payments.save(tx, changed)
    # First what ends, then what begins: of one payment only one operation may be scheduled.
    await operations.resolve(tx, [each.resolved for each in changes if each.resolved is not None])
    await operations.resolve(tx, [each for change in changes for each in change.moved])
    await operations.queue(tx, [each for change in changes for each in change.queued])
    await reductions.answer(
        tx,
        [
            Reduction(order_id=change.payment.order_id, reduction_id=reduction_id)
            for change in changes
            for reduction_id in change.answered
        ],
    )
    await outbox.append(tx, locked, [each for change in changes for each in _outgoing(change)])


def _outgoing(change: Change) -> list[Outgoing]:
    first = change.payment.sequence - len(change.events) + 1
    return [
        Outgoing(message=event, sequence=sequence, traceparent=change.traceparent)
        for sequence, event in enumerate(change.events, start=first)
    ]
