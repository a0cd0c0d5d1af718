"""Plans for nothing, and gives back what is held or still comes."""

from collections.abc import Sequence

from libs.contracts.payments import ReducePayment
from libs.domain.payments import commands
from libs.domain.payments.sql import operations, payments, reductions
from libs.domain.payments.sql.reductions import Reduction
from libs.domain.payments.use_cases.apply_changes import apply_changes
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.tracing import traceparent_for


async def reduce_payments(tx: Transaction, wave: Sequence[ReducePayment]) -> None:
    """Reduce payments to nothing; one that does not exist yet is left as a tombstone."""
    order_ids = [command.order_id for command in wave]
    await payments.begin(tx, [commands.tombstone(command) for command in wave])
    locked = await payments.lock(tx, order_ids)
    added = await reductions.add(tx, [_reduction(command) for command in wave])
    known = await reductions.of(tx, order_ids)
    waiting = reductions.unanswered(known)
    answered = {each.reduction_id for each in known if each.answered}
    unresolved = {each.order_id: each for each in await operations.lock_unresolved(tx, order_ids)}
    by_order = {payment.order_id: payment for payment in locked}
    now = utc_now()
    changes = [
        commands.reduce(
            by_order[command.order_id],
            unresolved.get(command.order_id),
            command,
            waiting.get(command.order_id, ()),
            now,
            traceparent_for(command.subject),
        )
        if command.reduction_id in added
        else commands.reduce_again(
            by_order[command.order_id],
            command.reduction_id,
            answered=command.reduction_id in answered,
        )
        for command in wave
    ]
    await apply_changes(tx, locked, changes)


def _reduction(command: ReducePayment) -> Reduction:
    return Reduction(order_id=command.order_id, reduction_id=command.reduction_id)
