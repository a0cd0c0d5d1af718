"""web.idempotency_keys: claims, and the answers stored in the transactions that made them."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from libs.foundation.database.transaction import Transaction


class Claimed(Protocol):
    """The name of a key and the hash of its request."""

    @property
    def principal(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def fingerprint(self) -> bytes: ...


class Answer(Protocol):
    """An answer to store."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...


class Verdict(StrEnum):
    """What became of a claim: ours, in another transaction's hands, or answered before."""

    CLAIMED = "claimed"
    BUSY = "busy"
    TAKEN = "taken"


class StoredAnswer(Struct, frozen=True, kw_only=True):
    """A committed answer; `position` is the claim's, from 1."""

    position: int
    fingerprint: bytes
    status: int
    headers: dict[str, str]
    body: bytes


class _NamedVerdict(Struct, frozen=True):
    principal: str
    key: str
    verdict: Verdict


_CLAIM_WAITING: Final = """
    INSERT INTO web.idempotency_keys (principal, method, route, key, fingerprint)
    VALUES (%(principal)s, %(method)s, %(route)s, %(key)s, %(fingerprint)b)
    ON CONFLICT DO NOTHING"""

# The advisory lock is tried, never waited for: a key in the hands of a hung transaction is told
# apart from 127 neighbours without costing them a moment. The primary key decides all the same.
_CLAIM_AT_ONCE: Final = """
    WITH wanted AS MATERIALIZED (
        SELECT principal, key, fingerprint,
            pg_try_advisory_xact_lock(hashtextextended(
                concat_ws(chr(31), principal, %(method)s::text, %(route)s::text, key), 0)) AS ours
        FROM unnest(%(principal)b::text[], %(key)b::text[], %(fingerprint)b::bytea[])
            AS claim (principal, key, fingerprint)
    ), inserted AS (
        INSERT INTO web.idempotency_keys (principal, method, route, key, fingerprint)
        SELECT principal, %(method)s::text, %(route)s::text, key, fingerprint
        FROM wanted WHERE ours
        ORDER BY principal, key
        ON CONFLICT DO NOTHING
        RETURNING principal, key
    )
    SELECT principal, key, 'claimed' AS verdict FROM inserted
    UNION ALL
    SELECT principal, key, 'busy' FROM wanted WHERE NOT ours"""

# None of the statements below leaves the planner a choice. A plan made while the table was small
# is kept, and a join made then reads the whole table once per key when it has grown.

# Its own statement: the claim's snapshot may be older than a twin's commit.
_STORED: Final = """
    SELECT claim.position, found.fingerprint, found.status, found.headers, found.body
    FROM unnest(%(principal)b::text[], %(key)b::text[])
        WITH ORDINALITY AS claim (principal, key, position)
    CROSS JOIN LATERAL (
        SELECT k.fingerprint, k.status, k.headers, k.body
        FROM web.idempotency_keys AS k
        WHERE k.principal = claim.principal AND k.method = %(method)s::text
            AND k.route = %(route)s::text AND k.key = claim.key
        OFFSET 0) AS found
    WHERE found.status IS NOT NULL
    ORDER BY claim.position"""

# Every key is there, so this only ever updates: by the primary key, whatever the statistics say.
_FINISH: Final = """
    INSERT INTO web.idempotency_keys AS k
        (principal, method, route, key, fingerprint, status, headers, body)
    SELECT principal, %(method)s::text, %(route)s::text, key, fingerprint, status,
        headers::jsonb, body
    FROM unnest(%(principal)b::text[], %(key)b::text[], %(fingerprint)b::bytea[],
            %(status)b::int[], %(headers)b::text[], %(body)b::bytea[])
        AS answer (principal, key, fingerprint, status, headers, body)
    ON CONFLICT (principal, method, route, key) DO UPDATE
    SET status = excluded.status, headers = excluded.headers, body = excluded.body"""

# Only the COMMIT follows in this transaction. Without it the plan of a small table, a sequential
# scan, would be kept for the large one.
_BY_ROW_ADDRESS: Final = """
    SET LOCAL enable_seqscan = off"""
_GIVE_BACK: Final = """
    DELETE FROM web.idempotency_keys
    WHERE ctid = ANY (ARRAY(
        SELECT (
            SELECT k.ctid FROM web.idempotency_keys AS k
            WHERE k.principal = claim.principal AND k.method = %(method)s::text
                AND k.route = %(route)s::text AND k.key = claim.key)
        FROM unnest(%(principal)b::text[], %(key)b::text[]) AS claim (principal, key)))"""


async def claim_waiting(tx: Transaction, claim: Claimed) -> bool:
    """Claim one key and say whether it is ours; waits for a twin up to the lock timeout."""
    inserted = await tx.execute(
        _CLAIM_WAITING,
        principal=claim.principal,
        method=claim.method,
        route=claim.route,
        key=claim.key,
        fingerprint=claim.fingerprint,
    )
    return inserted == 1


async def claim_at_once(tx: Transaction, claims: Sequence[Claimed]) -> list[Verdict]:
    """Claim different keys of one route, in one order for everybody; one verdict per claim."""
    found = await tx.fetch(
        _NamedVerdict, _CLAIM_AT_ONCE, **_names(claims), fingerprint=_fingerprints(claims)
    )
    verdicts = {(each.principal, each.key): each.verdict for each in found}
    return [verdicts.get((claim.principal, claim.key), Verdict.TAKEN) for claim in claims]


async def stored(tx: Transaction, claims: Sequence[Claimed]) -> list[StoredAnswer]:
    """Return the committed answers under the claims' keys."""
    return await tx.fetch(StoredAnswer, _STORED, **_names(claims))


async def finish(tx: Transaction, claims: Sequence[Claimed], answers: Sequence[Answer]) -> None:
    """Store each claim's answer on its key's row."""
    await tx.execute(
        _FINISH,
        **_names(claims),
        fingerprint=_fingerprints(claims),
        status=[answer.status for answer in answers],
        headers=[msgspec.json.encode(answer.headers).decode() for answer in answers],
        body=[answer.body for answer in answers],
    )


async def give_back(tx: Transaction, claims: Sequence[Claimed]) -> None:
    """Free the keys of refused requests in the transaction that claimed them."""
    await tx.execute(_BY_ROW_ADDRESS)
    await tx.execute(_GIVE_BACK, **_names(claims))


def _names(claims: Sequence[Claimed]) -> dict[str, object]:
    """Return the parameters that name keys; a batch is of one method and route."""
    method, route = claims[0].method, claims[0].route
    if any((claim.method, claim.route) != (method, route) for claim in claims):
        raise ValueError("the claims of one batch are of different routes")
    return {
        "principal": [claim.principal for claim in claims],
        "method": method,
        "route": route,
        "key": [claim.key for claim in claims],
    }


def _fingerprints(claims: Sequence[Claimed]) -> list[bytes]:
    return [claim.fingerprint for claim in claims]
