"""Captures what is held and refunds what was captured, one operation of a payment at a time."""

from collections.abc import Sequence

from libs.contracts.payments import CapturePayment, RefundPayment
from libs.domain.payments import commands
from libs.domain.payments.commands import MoneyCommand
from libs.domain.payments.errors import UnknownPayment
from libs.domain.payments.sql import operations, payments, reductions
from libs.domain.payments.use_cases.agendas import agendas_of
from libs.domain.payments.use_cases.apply_changes import apply_changes
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.tracing import traceparent_for


async def capture_payments(tx: Transaction, wave: Sequence[CapturePayment]) -> None:
    """Take held money for shipments; a repeat gets the answer that was given."""
    await _move_money(tx, wave)


async def refund_payments(tx: Transaction, wave: Sequence[RefundPayment]) -> None:
    """Give captured money back; a repeat of an attempt gets the answer that was given."""
    await _move_money(tx, wave)


async def _move_money(tx: Transaction, wave: Sequence[MoneyCommand]) -> None:
    order_ids = [command.order_id for command in wave]
    locked = await payments.lock(tx, order_ids)
    by_order = {payment.order_id: payment for payment in locked}
    for command in wave:
        if command.order_id not in by_order:
            raise UnknownPayment(command.order_id, command.type)
    keys = [commands.key_of(command) for command in wave]
    found = await operations.lock(tx, order_ids, keys)
    agendas = agendas_of(order_ids, found, await reductions.of(tx, order_ids))
    known = {operation.key: operation for operation in found}
    now = utc_now()
    changes = [
        commands.move_money_again(by_order[command.order_id], known[key], command)
        if key in known
        else commands.move_money(
            by_order[command.order_id],
            agendas[command.order_id],
            commands.operation_of(
                by_order[command.order_id], command, traceparent_for(command.subject)
            ),
            now,
        )
        for command, key in zip(wave, keys, strict=True)
    ]
    await apply_changes(tx, locked, changes)
