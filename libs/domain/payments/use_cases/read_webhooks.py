"""Reads webhooks into the one compare-and-set that answers and polls go through."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from libs.domain.payments.operation import Operation
from libs.domain.payments.provider import Notice, PaymentProvider
from libs.domain.payments.settlement import Attempted, Patience
from libs.domain.payments.sql import operations, webhooks
from libs.domain.payments.sql.webhooks import Read
from libs.domain.payments.use_cases.record_outcomes import record_outcomes
from libs.foundation.database.transaction import Transaction

APPLIED: Final = "applied"
LATE: Final = "late"  # Another answer had decided already.
UNREADABLE: Final = "unreadable"
UNMATCHED: Final = "unmatched"


class Reading(Struct, frozen=True, kw_only=True):
    """What a batch came to; `found` counts the webhooks that were due."""

    found: int
    read: tuple[Read, ...]
    changed: tuple[Operation, ...]


async def read_webhooks(
    tx: Transaction,
    provider: PaymentProvider,
    now: datetime,
    patience: Patience,
    *,
    webhooks_max: int,
    unmatched_wait: timedelta,
) -> Reading:
    """Read due webhooks, at most one of a payment: its others stay due.

    One about an operation that is not known stays too, and is read again: a database that was
    restored may learn of it late.
    """
    due = await webhooks.lock_due(tx, provider.name, webhooks_max, now)
    notices = {webhook.event_id: provider.notice(webhook.body) for webhook in due}
    keys = [notice.key for notice in notices.values() if notice is not None]
    orders = await operations.orders(tx, provider.name, keys)
    read: list[Read] = []
    attempts: dict[UUID, Attempted] = {}
    for event_id, notice in notices.items():
        if notice is None:
            read.append(Read(event_id=event_id, outcome=UNREADABLE, next_at=None))
        elif notice.key not in orders:
            read.append(Read(event_id=event_id, outcome=UNMATCHED, next_at=now + unmatched_wait))
        elif orders[notice.key] not in attempts:
            attempts[orders[notice.key]] = _attempted(notice, orders[notice.key], now)
            read.append(Read(event_id=event_id, outcome=str(notice.key), next_at=None))
    changed = await record_outcomes(tx, list(attempts.values()), now, patience)
    told = {str(each.key): LATE for each in attempts.values()}
    told |= {str(operation.key): APPLIED for operation in changed}
    read = [replace(each, outcome=told.get(each.outcome, each.outcome)) for each in read]
    await webhooks.note(tx, provider.name, read)
    return Reading(found=len(due), read=tuple(read), changed=tuple(changed))


def _attempted(notice: Notice, order_id: UUID, now: datetime) -> Attempted:
    # No attempt of ours has this number: only what is definite passes an attempt under way.
    return Attempted(
        key=notice.key, order_id=order_id, attempt=0, outcome=notice.outcome, next_at=now
    )
