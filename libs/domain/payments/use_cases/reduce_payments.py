"""Plans for less, and gives back what is held, or still comes, above the plan."""

from collections.abc import Sequence

from libs.contracts.payments import ReducePayment
from libs.domain.payments import commands
from libs.domain.payments.agenda import Reduction
from libs.domain.payments.errors import UnknownPayment
from libs.domain.payments.sql import operations, payments, reductions
from libs.domain.payments.use_cases.agendas import agendas_of
from libs.domain.payments.use_cases.apply_changes import apply_changes
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.tracing import traceparent_for


async def reduce_payments(tx: Transaction, wave: Sequence[ReducePayment]) -> None:
    """Reduce payments; one that does not exist yet is left as a tombstone."""
    order_ids = [command.order_id for command in wave]
    begun = await payments.begin(tx, [commands.tombstone(command) for command in wave])
    for command in wave:
        if command.amount is not None and command.order_id in begun:
            raise UnknownPayment(command.order_id, command.type)
    locked = await payments.lock(tx, order_ids)
    added = await reductions.add(tx, [_reduction(command) for command in wave])
    asked = await reductions.of(tx, order_ids)
    agendas = agendas_of(order_ids, await operations.lock(tx, order_ids), asked)
    known = {each.reduction_id: each for each in asked}
    by_order = {payment.order_id: payment for payment in locked}
    for command in wave:
        commands.demand_currency(by_order[command.order_id], command)
    now = utc_now()
    changes = [
        commands.reduce(
            by_order[command.order_id],
            agendas[command.order_id],
            known[command.reduction_id],
            now,
            traceparent_for(command.subject),
        )
        if command.reduction_id in added
        else commands.reduce_again(
            by_order[command.order_id],
            known[command.reduction_id],
            _reduction(command).amount_minor,
        )
        for command in wave
    ]
    await apply_changes(tx, locked, changes)


def _reduction(command: ReducePayment) -> Reduction:
    return Reduction(
        order_id=command.order_id,
        reduction_id=command.reduction_id,
        amount_minor=None if command.amount is None else command.amount.amount,
    )
