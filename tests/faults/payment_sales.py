"""What a thousand orders ask of payments, and the books in which it must be found again."""

from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import psycopg
from msgspec import Struct
from psycopg.rows import dict_row

from libs.contracts.payments import PaymentCommand
from libs.testkit.payments.commands import authorise, capture, reduce, refund

TOTAL_MINOR: Final = 2_000
SHIPPED_MINOR: Final = 1_500
REFUNDED_MINOR: Final = 400


class Fate(StrEnum):
    """What becomes of an order."""

    DECLINED = "declined"
    CANCELLED = "cancelled"
    SOLD = "sold"
    PARTLY_SOLD = "partly sold"  # The rest is cancelled, before or after the capture.
    REFUNDED = "refunded"
    RECALLED = "recalled"  # Cancelled after its capture was asked for.


FATES: Final = (
    Fate.CANCELLED,
    Fate.SOLD,
    Fate.REFUNDED,
    Fate.PARTLY_SOLD,
    Fate.CANCELLED,
    Fate.SOLD,
    Fate.RECALLED,
    Fate.REFUNDED,
    Fate.SOLD,
    Fate.DECLINED,
)


class Sale(Struct, frozen=True, kw_only=True):
    """One order, and its commands in order."""

    order_id: UUID
    fate: Fate
    commands: tuple[PaymentCommand, ...]


def sale(number: int) -> Sale:
    """Return the order of this number; ten in a row are one of each kind and some twice."""
    fate = FATES[number % len(FATES)]
    first = authorise(
        amount_minor=TOTAL_MINOR,
        token="tok_decline_card_declined" if fate is Fate.DECLINED else "tok_ok",
    )
    order_id = first.order_id
    match fate:
        case Fate.DECLINED:
            rest: tuple[PaymentCommand, ...] = ()
        case Fate.CANCELLED:
            rest = (reduce(order_id),)
        case Fate.SOLD:
            rest = (capture(order_id, amount_minor=TOTAL_MINOR),)
        case Fate.PARTLY_SOLD:
            parts = (
                capture(order_id, amount_minor=SHIPPED_MINOR),
                reduce(order_id, amount_minor=TOTAL_MINOR - SHIPPED_MINOR),
            )
            rest = parts if number % 20 < len(FATES) else parts[::-1]
        case Fate.REFUNDED:
            rest = (
                capture(order_id, amount_minor=TOTAL_MINOR),
                refund(order_id, amount_minor=REFUNDED_MINOR),
            )
        case Fate.RECALLED:
            rest = (capture(order_id, amount_minor=TOTAL_MINOR), reduce(order_id))
    return Sale(order_id=order_id, fate=fate, commands=(first, *rest))


class Books(Struct, frozen=True, kw_only=True):
    """Both sides' rows, as they are at the end."""

    payments: dict[str, dict[str, Any]]
    operations: list[dict[str, Any]]
    webhooks: dict[str, int]


_PAYMENTS: Final = """
    SELECT order_id::text, state, planned_minor, due_minor, authorised_minor, captured_minor,
        released_minor, returned_minor, refunded_minor FROM payments.payments"""
_OPERATIONS: Final = """
    SELECT key::text, order_id::text, kind, state, amount_minor, attempts, possibly_executed
    FROM payments.operations"""
_WEBHOOKS: Final = """
    SELECT coalesce(outcome, 'waiting') AS outcome, count(*) AS count
    FROM payments.webhooks GROUP BY 1"""


_PROGRESS: Final = """
    SELECT (SELECT count(*) FROM payments.operations WHERE attempts > 0),
        (SELECT count(*) FROM payments.operations WHERE next_at IS NOT NULL)
        + (SELECT count(*) FROM payments.webhooks WHERE next_at IS NOT NULL)"""


class Progress(Struct, frozen=True, kw_only=True):
    """How many operations were called, and how much is left to do."""

    called: int
    left: int


async def progress(connection: psycopg.AsyncConnection) -> Progress:
    """Count, cheaply enough to be asked again and again."""
    row = await (await connection.execute(_PROGRESS)).fetchone()
    assert row is not None
    return Progress(called=row[0], left=row[1])


def read_books(url: str) -> Books:
    """Read our side as the superuser."""
    with psycopg.connect(url) as connection, connection.cursor(row_factory=dict_row) as cursor:
        payments = cursor.execute(_PAYMENTS).fetchall()
        operations = cursor.execute(_OPERATIONS).fetchall()
        webhooks = cursor.execute(_WEBHOOKS).fetchall()
    return Books(
        payments={row["order_id"]: row for row in payments},
        operations=operations,
        webhooks={row["outcome"]: row["count"] for row in webhooks},
    )
