"""Begins payments and queues their authorisation."""

from collections.abc import Sequence

from libs.contracts.payments import AuthorisePayment
from libs.domain.payments import commands
from libs.domain.payments.provider_names import PROVIDERS
from libs.domain.payments.sql import payments
from libs.domain.payments.use_cases.apply_changes import apply_changes
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.tracing import traceparent_for


async def authorise_payments(tx: Transaction, wave: Sequence[AuthorisePayment]) -> None:
    """Queue one authorisation per new payment; a repeat gets the answer that holds now."""
    begun = await payments.begin(tx, [commands.begin(command) for command in wave])
    locked = await payments.lock(tx, [command.order_id for command in wave])
    by_order = {payment.order_id: payment for payment in locked}
    now = utc_now()
    changes = [
        commands.authorise(
            by_order[command.order_id],
            command,
            now,
            providers=PROVIDERS,
            traceparent=traceparent_for(command.subject),
        )
        if command.order_id in begun
        else commands.authorise_again(by_order[command.order_id])
        for command in wave
    ]
    await apply_changes(tx, locked, changes)
