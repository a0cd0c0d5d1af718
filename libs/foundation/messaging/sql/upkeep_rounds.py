"""messaging.upkeep_rounds: who does a chore now, when it last succeeded, what the clock did."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction, fetch


class Round(Struct, frozen=True, kw_only=True):
    """A round that is the caller's; `is_steady` says that the clock has not jumped for long."""

    now: datetime
    is_steady: bool


class ChoreAge(Struct, frozen=True, kw_only=True):
    """How long ago a chore succeeded; `age_s` is None when it never did."""

    chore: str
    age_s: float | None
    is_steady: bool


# One statement decides, under the lock of the row: of two processes one begins the round. Rounds
# follow each other within minutes, so a gap of an hour is a clock that was set forward, or an
# installation that was down; both wait an hour before they destroy anything. A round that lies
# in the future comes from a clock that was set back.
_BEGIN: Final = """
    INSERT INTO messaging.upkeep_rounds AS r (chore, begun_at) VALUES (%(chore)s::text, now())
    ON CONFLICT (chore) DO UPDATE SET begun_at = now(), steady_since = CASE
        WHEN r.begun_at BETWEEN now() - interval '1 hour' AND now() + interval '1 second'
        THEN r.steady_since ELSE now() END
    WHERE r.begun_at <= now() - %(pause_s)s * interval '1 second'
        OR r.begun_at > now() + interval '1 second'
    RETURNING now() AS now, steady_since <= now() - interval '1 hour' AS is_steady"""

_SUCCEEDED: Final = """
    UPDATE messaging.upkeep_rounds SET succeeded_at = now() WHERE chore = %(chore)s::text"""

_AGES: Final = """
    SELECT chore, date_part('epoch', now() - succeeded_at) AS age_s,
        steady_since <= now() - interval '1 hour' AS is_steady
    FROM messaging.upkeep_rounds ORDER BY chore"""


async def begin(connection: Connection, chore: str, pause_s: float) -> Round | None:
    """Begin a round, unless another process has begun one less than `pause_s` ago."""
    found = await fetch(connection, Round, _BEGIN, chore=chore, pause_s=pause_s)
    return found[0] if found else None


async def succeeded(connection: Connection, chore: str) -> None:
    """Note that a chore is done."""
    await Transaction(connection).execute(_SUCCEEDED, chore=chore)


async def ages(connection: Connection) -> list[ChoreAge]:
    """Return the age of each chore's last success, whichever process it was."""
    return await fetch(connection, ChoreAge, _AGES)
