"""payments.reconciliations: who compares, how far it came, and what differs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from libs.domain.payments.reconciliation import Difference, OurOperation, OurPayment
from libs.foundation.database.transaction import Transaction


class Reconciliation(Struct, frozen=True, kw_only=True):
    """One comparison; `finished_at` is None while it runs."""

    id: UUID
    provider: str
    since: datetime
    started_at: datetime
    finished_at: datetime | None
    outcome: str | None
    objects: int
    operations: int
    differences: int


class Rhythm(Struct, frozen=True, kw_only=True):
    """When the last comparisons began, by the database's clock, which is `now`."""

    now: datetime
    last_at: datetime | None
    last_complete_at: datetime | None
    running: bool


class CountOf(Struct, frozen=True, kw_only=True):
    """How many differences of a kind there are."""

    kind: str
    count: int


_GIVE_UP: Final = """
    UPDATE payments.reconciliations
    SET finished_at = clock_timestamp(), outcome = 'given up: its process died'
    WHERE provider = %(provider)s::text AND finished_at IS NULL
        AND alive_at < clock_timestamp() - make_interval(secs => %(dead_after_s)s::integer)"""

_RHYTHM: Final = """
    SELECT clock_timestamp() AS now, max(started_at) AS last_at,
        max(started_at) FILTER (WHERE outcome LIKE 'finished%%') AS last_complete_at,
        coalesce(bool_or(finished_at IS NULL), false) AS running
    FROM payments.reconciliations WHERE provider = %(provider)s::text"""

_BEGIN: Final = """
    INSERT INTO payments.reconciliations (id, provider, request_id, since)
    VALUES (%(id)s, %(provider)s::text, %(request_id)s, %(since)s::timestamptz)
    ON CONFLICT DO NOTHING RETURNING id"""

_SIGN_OF_LIFE: Final = """
    UPDATE payments.reconciliations
    SET alive_at = clock_timestamp(), objects = %(objects)s::integer,
        operations = %(operations)s::integer, differences = %(differences)s::integer
    WHERE id = %(id)s AND finished_at IS NULL
    RETURNING alive_at"""

_FINISH: Final = """
    UPDATE payments.reconciliations
    SET finished_at = clock_timestamp(), outcome = %(outcome)s::text
    WHERE id = %(id)s AND finished_at IS NULL RETURNING request_id"""

_NOTE: Final = """
    INSERT INTO payments.reconciliation_differences (reconciliation_id, kind, subject,
        operation_key, order_id, reference, ours, theirs)
    SELECT %(id)s, kind, subject, operation_key, order_id, reference, ours, theirs
    FROM unnest(%(kind)b::text[], %(subject)b::text[], %(operation_key)b::uuid[],
        %(order_id)b::text[], %(reference)b::text[], %(ours)b::text[], %(theirs)b::text[])
        AS new (kind, subject, operation_key, order_id, reference, ours, theirs)
    ON CONFLICT DO NOTHING"""

_OPERATIONS: Final = """
    SELECT key, order_id, kind, state, amount_minor, currency, provider_reference, updated_at
    FROM payments.operations
    WHERE key = ANY(%(keys)b::uuid[]) AND provider = %(provider)s::text"""

_PAYMENTS: Final = """
    SELECT order_id, captured_minor, released_minor,
        returned_minor + refunded_minor AS given_back_minor, updated_at,
        EXISTS (SELECT FROM payments.operations AS operation
            WHERE operation.order_id = payment.order_id
                AND operation.state <> ALL('{succeeded,declined,failed}')) AS busy
    FROM payments.payments AS payment
    WHERE order_id = ANY(%(order_ids)b::uuid[])"""

# A release is no object of the provider's.
_SUCCEEDED: Final = """
    SELECT key, order_id, kind, state, amount_minor, currency, provider_reference, updated_at
    FROM payments.operations
    WHERE provider = %(provider)s::text AND state = 'succeeded'
        AND (updated_at, key) > (%(after)s::timestamptz, %(after_key)s::uuid)
        AND updated_at >= %(after)s::timestamptz AND updated_at < %(before)s::timestamptz
    ORDER BY updated_at, key
    LIMIT %(rows_max)s::bigint"""

_OF_REQUEST: Final = """
    SELECT id, provider, since, started_at, finished_at, outcome, objects, operations, differences
    FROM payments.reconciliations WHERE request_id = %(request_id)s
    ORDER BY started_at DESC LIMIT 1"""

_DIFFERENCES: Final = """
    SELECT kind, subject, operation_key, order_id, reference, ours, theirs
    FROM payments.reconciliation_differences WHERE reconciliation_id = %(id)s
    ORDER BY kind, subject"""

_COUNTS: Final = """
    SELECT kind, count(*) AS count FROM payments.reconciliation_differences
    WHERE reconciliation_id = (
        SELECT id FROM payments.reconciliations
        WHERE provider = %(provider)s::text AND outcome LIKE 'finished%%'
        ORDER BY started_at DESC LIMIT 1)
    GROUP BY kind"""


async def give_up_dead(tx: Transaction, provider: str, dead_after_s: int) -> None:
    """End a comparison whose process gives no sign of life."""
    await tx.execute(_GIVE_UP, provider=provider, dead_after_s=dead_after_s)


async def rhythm(tx: Transaction, provider: str) -> Rhythm:
    """Return when the last comparisons began, and whether one runs."""
    return (await tx.fetch(Rhythm, _RHYTHM, provider=provider))[0]


async def begin(
    tx: Transaction, id_: UUID, provider: str, request_id: UUID | None, since: datetime
) -> bool:
    """Begin a comparison; False if another worker was faster."""
    begun = await tx.fetch(
        UUID, _BEGIN, id=id_, provider=provider, request_id=request_id, since=since
    )
    return bool(begun)


async def sign_of_life(
    tx: Transaction, id_: UUID, *, objects: int, operations: int, differences: int
) -> datetime | None:
    """Note how far it came, and return the database's time; None if it was given up."""
    alive = await tx.fetch(
        datetime,
        _SIGN_OF_LIFE,
        id=id_,
        objects=objects,
        operations=operations,
        differences=differences,
    )
    return alive[0] if alive else None


async def finish(tx: Transaction, id_: UUID, outcome: str) -> bool:
    """End a comparison; False if it was given up before."""
    return await tx.execute(_FINISH, id=id_, outcome=outcome) > 0


async def note(tx: Transaction, id_: UUID, differences: Sequence[Difference]) -> None:
    """Write differences down; one that is there already stays as it is."""
    if differences:
        columns = {
            name: [getattr(each, name) for each in differences]
            for name in Difference.__struct_fields__
        }
        await tx.execute(_NOTE, id=id_, **columns)


async def operations(tx: Transaction, provider: str, keys: Sequence[UUID]) -> list[OurOperation]:
    """Return what we know of these keys."""
    return await tx.fetch(OurOperation, _OPERATIONS, provider=provider, keys=list(keys))


async def payments(tx: Transaction, order_ids: Sequence[UUID]) -> list[OurPayment]:
    """Return the sums of these payments."""
    return await tx.fetch(OurPayment, _PAYMENTS, order_ids=list(order_ids))


async def succeeded(
    tx: Transaction,
    provider: str,
    after: tuple[datetime, UUID],
    before: datetime,
    rows_max: int,
) -> list[OurOperation]:
    """Return a page of what succeeded, in order of time and key."""
    return await tx.fetch(
        OurOperation,
        _SUCCEEDED,
        provider=provider,
        after=after[0],
        after_key=after[1],
        before=before,
        rows_max=rows_max,
    )


async def of_request(tx: Transaction, request_id: UUID) -> Reconciliation | None:
    """Return the comparison that a request led to."""
    return await tx.fetch_one(Reconciliation, _OF_REQUEST, request_id=request_id)


async def differences(tx: Transaction, id_: UUID) -> list[Difference]:
    """Return what differs."""
    return await tx.fetch(Difference, _DIFFERENCES, id=id_)


async def counts(tx: Transaction, provider: str) -> dict[str, int]:
    """Return how many differences of each kind the last complete comparison found."""
    found = await tx.fetch(CountOf, _COUNTS, provider=provider)
    return {each.kind: each.count for each in found}
