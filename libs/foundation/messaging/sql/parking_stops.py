"""messaging.parking_stops: which processes park no more, and who let them go on."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from libs.foundation.database.transaction import Transaction


class Stop(Struct, frozen=True, kw_only=True):
    """A process of a consumer that waits for people since it parked too many keys."""

    owner: str
    process: str
    keys_max: int
    stopped_at: datetime


_OPEN: Final = """
    INSERT INTO messaging.parking_stops (consumer, process, keys_max)
    VALUES (%(consumer)s::text, %(process)s::text, %(keys_max)s)
    RETURNING id"""

# In one statement: who is seen learns at the same time whether it may go on.
_SEEN: Final = """
    UPDATE messaging.parking_stops AS s
    SET seen_at = clock_timestamp(), request_id = asked.id,
        resumed_at = CASE WHEN asked.id IS NOT NULL THEN clock_timestamp() END
    FROM (
        SELECT min(q.id::text)::uuid AS id
        FROM messaging.operator_requests AS q
        JOIN messaging.parking_stops AS mine ON mine.id = %(id)s
        WHERE q.owner = mine.consumer AND q.verb = 'resume' AND q.finished_at IS NULL
            AND q.requested_at > mine.stopped_at) AS asked
    WHERE s.id = %(id)s
    RETURNING s.request_id IS NOT NULL"""

# A process that was not seen for this long has ended: nothing of it waits any more.
_LIVE: Final = """
    SELECT consumer AS owner, process, keys_max, stopped_at
    FROM messaging.parking_stops
    WHERE resumed_at IS NULL AND seen_at > clock_timestamp() - interval '10 seconds'
    ORDER BY stopped_at"""

# A request is over once no live process waits that had stopped before it was made.
_CLOSE_ASKED: Final = """
    UPDATE messaging.operator_requests AS q
    SET finished_at = clock_timestamp(), outcome = CASE resumed.processes
        WHEN 0 THEN 'refused: no process of ' || q.owner || ' has stopped parking'
        ELSE 'finished: parking goes on in processes: ' || resumed.processes END
    FROM (
        SELECT o.id, (
            SELECT count(*) FROM messaging.parking_stops AS ended
            WHERE ended.request_id = o.id) AS processes
        FROM messaging.operator_requests AS o
        WHERE o.owner = %(consumer)s::text AND o.verb = 'resume' AND o.finished_at IS NULL
            AND NOT EXISTS (
                SELECT FROM messaging.parking_stops AS s
                WHERE s.consumer = o.owner AND s.resumed_at IS NULL
                    AND s.stopped_at < o.requested_at
                    AND s.seen_at > clock_timestamp() - interval '10 seconds')) AS resumed
    WHERE q.id = resumed.id AND q.finished_at IS NULL"""


async def open_stop(tx: Transaction, consumer: str, process: str, keys_max: int) -> int:
    """Tell that a process parks no more; return the id of its stop."""
    found = await tx.fetch(int, _OPEN, consumer=consumer, process=process, keys_max=keys_max)
    return found[0]


async def end_if_asked(tx: Transaction, stop_id: int) -> bool:
    """Show that the stopped process lives; True when it was asked to park again."""
    return await tx.fetch_one(bool, _SEEN, id=stop_id) is True


async def close_asked(tx: Transaction, consumer: str) -> None:
    """Finish the requests to resume that nobody has to act on any more."""
    await tx.execute(_CLOSE_ASKED, consumer=consumer)


async def live(tx: Transaction) -> list[Stop]:
    """Return the processes that have stopped parking, the longest stop first."""
    return await tx.fetch(Stop, _LIVE)
