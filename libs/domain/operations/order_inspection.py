"""Asks every context and the platform about one order, and has the answers judged."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from libs.contracts.topics import TOPICS
from libs.domain.inventory.sql import inspections as inventory
from libs.domain.operations.installation import READERS
from libs.domain.operations.order_report import Report, report_of
from libs.domain.orders.inspection import OrderFacts, inspect_order
from libs.domain.orders.lookup import Found, Lookup
from libs.domain.orders.saga import Step
from libs.domain.orders.stuck import (
    KEYS,
    Reason,
    StuckOrders,
    page_of,
    reasons_of_orders,
    with_heads,
)
from libs.domain.orders.verdict import unknown_order, verdict_of
from libs.domain.payments import inspection as payments
from libs.domain.payments.sql import inspections as money_rows
from libs.foundation.clock import utc_now
from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.journey import holds
from libs.foundation.messaging.journey.collecting import collect
from libs.foundation.messaging.sql import journeys
from libs.foundation.settings import KafkaSettings


class Place(Struct, frozen=True, kw_only=True):
    """Where an order stands, and since when."""

    version: int
    step: Step
    moved_at: datetime


async def inspect(
    connection: Connection, kafka: KafkaSettings, name: str, principal: str | None
) -> Report:
    """Find the order that `name` names, and say where it is and why."""
    found = await Lookup(connection, principal).find(name)
    facts: OrderFacts | None = None
    if found.order_id is not None:
        async with transaction(connection) as tx:
            facts = await inspect_order(tx, found.order_id)
    if facts is None:
        return Report(verdict=unknown_order(found.tried))
    return await _report(connection, kafka, facts, found)


async def place_of(connection: Connection, order_id: UUID) -> Place | None:
    """Return what is decided on when an order is to be changed; None when there is none."""
    async with transaction(connection) as tx:
        facts = await inspect_order(tx, order_id)
    if facts is None:
        return None
    return Place(version=facts.order.version, step=facts.saga.step, moved_at=facts.times.updated_at)


async def list_stuck(connection: Connection, after: UUID, limit: int) -> StuckOrders:
    """Return orders behind `after` that need a look, whoever knows why."""
    rows_max = limit + 1
    parked = await journeys.parked_keys(connection, KEYS, str(after), rows_max)
    manual = await money_rows.manual(connection, after, rows_max)
    async with transaction(connection) as tx:
        sources = await reasons_of_orders(tx, utc_now(), after, rows_max)
        sources.append([Reason(key=one.key, why=f"parked by {one.owner}") for one in parked])
        sources.append(
            [
                Reason(key=str(one.order_id), why=f"{one.kind.value} is left to a person")
                for one in manual
            ]
        )
        return await with_heads(tx, page_of(sources, limit, rows_max))


async def _report(
    connection: Connection, kafka: KafkaSettings, facts: OrderFacts, found: Found
) -> Report:
    order_id = facts.order.id
    money = await payments.inspect_payment(connection, order_id)
    reservation = await inventory.reservation(connection, order_id)
    moments = [*facts.moments, *money.moments]
    if reservation is not None:
        moments += [reservation.created_at, reservation.updated_at]
    topics = [topic.name for topic in TOPICS]
    journey = await collect(connection, kafka, str(order_id), moments, READERS, topics)
    now = utc_now()
    found_holds = [
        *holds.holds_of(journey, READERS, now),
        *payments.holds_of(money, now),
    ]
    blind = journey.unread or (None if journey.rows else "the outbox keeps its messages no longer")
    return report_of(
        facts,
        money,
        reservation,
        journey,
        verdict=verdict_of(facts, found_holds, now, blind=blind),
        readers=READERS,
        found_by=found.tried[0],
        now=now,
    )
