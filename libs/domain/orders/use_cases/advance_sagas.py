"""Takes a wave of answers through locking, deciding and saving: one statement per table."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

from libs.domain.orders.answering import Answer
from libs.domain.orders.errors import UnknownOrder
from libs.domain.orders.order import Order
from libs.domain.orders.saga import Decision, Situation
from libs.domain.orders.sql import (
    line_changes,
    order_changes,
    refunds,
    sagas,
    shipments,
    timeline,
)
from libs.domain.orders.status import Status
from libs.foundation.clock import utc_now
from libs.foundation.database.transaction import Locked, Transaction
from libs.foundation.messaging import outbox
from libs.foundation.messaging.outbox import Outgoing
from libs.foundation.observability.metrics import counter_by

_NO_OPS: Final = counter_by(
    "orders_answers_without_effect_total",
    "Answers recorded as no-ops, because the order was closed or the step had passed.",
    "type",
)


# Most waves are about orders on their way to confirmation: they are spared two reads.
_NEVER_SHIPPED: Final = frozenset({Status.PENDING, Status.REJECTED})

A = TypeVar("A", bound=Answer)


async def advance(
    tx: Transaction, answers: Sequence[A], decide: Callable[[Situation, A, datetime], Decision]
) -> None:
    """Apply a wave of answers, at most one per order; a refused one refuses the wave."""
    locked = await order_changes.lock(tx, [answer.order_id for answer in answers])
    situations = await situations_of(tx, locked)
    at = utc_now()
    changed: list[Decision] = []
    for answer in answers:
        situation = situations.get(answer.order_id)
        if situation is None:
            raise UnknownOrder(answer.order_id)
        decision = decide(situation, answer, at)
        if decision.changes(situation):
            changed.append(decision)
        else:
            _NO_OPS.of(answer.type).inc()
    await store(tx, locked, changed)


async def situations_of(tx: Transaction, locked: Locked[Order]) -> dict[UUID, Situation]:
    """Read what decisions about locked orders need; read after the lock, so nothing is stale."""
    order_ids = [order.id for order in locked]
    saga_by_order = await sagas.read(tx, order_ids)
    lines = await line_changes.read(tx, order_ids)
    confirmed_ids = [order.id for order in locked if order.status not in _NEVER_SHIPPED]
    shipped = await shipments.read(tx, confirmed_ids) if confirmed_ids else {}
    refunded = await refunds.read(tx, list(shipped)) if shipped else {}
    return {
        order.id: Situation(
            order=order,
            saga=saga_by_order[order.id],
            lines=lines[order.id],
            shipments=shipped.get(order.id, ()),
            refunds=refunded.get(order.id, ()),
        )
        for order in locked
    }


async def store(tx: Transaction, locked: Locked[Order], decisions: Sequence[Decision]) -> None:
    """Save decisions about locked orders, then announce their versions and send their commands."""
    await order_changes.save(tx, [each.order for each in decisions if each.entries])
    await line_changes.save(
        tx, [(each.order.id, line) for each in decisions for line in each.lines]
    )
    await shipments.save(tx, [part for each in decisions for part in each.shipments])
    await refunds.save(tx, [part for each in decisions for part in each.refunds])
    await timeline.append(tx, [entry for each in decisions for entry in each.entries])
    await sagas.save(tx, [each.saga for each in decisions])
    await outbox.append(tx, locked, [item for each in decisions for item in outgoing(each)])


def outgoing(decision: Decision) -> list[Outgoing]:
    """Return what a decision sends: its events, sequenced by version, then its commands."""
    events = [
        Outgoing(message=entry.event, sequence=entry.event.version) for entry in decision.entries
    ]
    return events + [Outgoing(message=command) for command in decision.commands]
