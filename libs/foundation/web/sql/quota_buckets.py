"""web.quota_buckets: one row per principal that asked lately."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import fetch


class Wish(Struct, frozen=True):
    """Requests a process wants for a principal; fewer than none gives so many back."""

    principal: str
    requests: int
    interval_us: int
    window_us: int


class Taken(Struct, frozen=True):
    """What a principal's bucket gave, and the time for which it is spent ahead of the clock.

    That time is longer than the window by as much as the statement waited for the row's lock.
    """

    principal: str
    granted: int
    ahead_us: int


# A bucket is one moment: until when it is spent. It is full when that has passed, so a row that
# is not there, or was lost, is a full bucket. Rows are locked in one order for everybody; the
# moment `now_us` may be older than the lock, which gives less, never more.
_TAKE: Final = """
    WITH moment AS MATERIALIZED (
        SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us
    )
    INSERT INTO web.quota_buckets AS b
        (principal, spent_until_us, granted, asked_at_us, interval_us, window_us)
    SELECT wish.principal,
        moment.now_us + greatest(0, least(wish.requests, wish.window_us / wish.interval_us))
            * wish.interval_us,
        least(wish.requests, wish.window_us / wish.interval_us),
        moment.now_us, wish.interval_us, wish.window_us
    FROM unnest(%(principals)b::text[], %(requests)b::bigint[], %(intervals_us)b::bigint[],
            %(windows_us)b::bigint[]) AS wish (principal, requests, interval_us, window_us)
        CROSS JOIN moment
    ORDER BY wish.principal
    ON CONFLICT (principal) DO UPDATE
    SET granted = least(excluded.granted, greatest(0,
            (excluded.asked_at_us + excluded.window_us
                - greatest(b.spent_until_us, excluded.asked_at_us)) / excluded.interval_us)),
        spent_until_us = greatest(b.spent_until_us, excluded.asked_at_us)
            + excluded.interval_us * least(excluded.granted, greatest(0,
                (excluded.asked_at_us + excluded.window_us
                    - greatest(b.spent_until_us, excluded.asked_at_us)) / excluded.interval_us)),
        asked_at_us = excluded.asked_at_us,
        interval_us = excluded.interval_us,
        window_us = excluded.window_us
    RETURNING principal, granted, greatest(0, spent_until_us - asked_at_us) AS ahead_us"""


async def take(connection: Connection, wishes: Sequence[Wish]) -> list[Taken]:
    """Take what each principal's bucket can give, one wish per principal, in one statement."""
    return await fetch(
        connection,
        Taken,
        _TAKE,
        principals=[wish.principal for wish in wishes],
        requests=[wish.requests for wish in wishes],
        intervals_us=[wish.interval_us for wish in wishes],
        windows_us=[wish.window_us for wish in wishes],
    )
