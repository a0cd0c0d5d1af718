"""Guards the cursor against restored, copied and promoted databases."""

from typing import Final

import psycopg

from libs.foundation.database.connections import Connection
from libs.foundation.messaging.relay import metrics, requests
from libs.foundation.messaging.relay.cursor import Cursor
from libs.foundation.messaging.relay.errors import Blocked, CursorMissing, RestoredElsewhere
from libs.foundation.messaging.sql import outbox_cursor
from libs.foundation.messaging.sql.outbox_cursor import CursorRow, Origin, Server
from libs.foundation.observability.logs import get_logger

_log: Final = get_logger(__name__)


class WrongServer(psycopg.OperationalError):
    """A connection leads to a server on which no cursor may be moved; try again."""


async def open_cursor(reading: Connection, writing: Connection, epoch: int) -> Cursor:
    """Return the cursor from its committed row, if its snapshots mean something here.

    Snapshots read on one server and written on another would skip rows for ever, so both
    connections must lead to the same primary. Serves an operator's wish to reanchor, for which
    there is no other moment.
    """
    here = await outbox_cursor.server(reading)
    if here.in_recovery or here != await outbox_cursor.server(writing):
        raise WrongServer("the two connections do not lead to one primary")
    latest = await outbox_cursor.latest(writing)
    refusal = refusal_of(latest, here)
    if refusal is not None:
        latest = await _reanchor(reading, epoch, refusal)
    if latest is None:
        raise CursorMissing
    _report_timeline(latest, here)
    return Cursor(writing, latest, origin_of(here), epoch)


def origin_of(server: Server) -> Origin:
    """Return what identifies the transaction ids of a server's database."""
    return Origin(
        system_identifier=server.system_identifier,
        database_oid=server.database_oid,
        timeline=server.timeline,
    )


def refusal_of(latest: CursorRow | None, here: Server) -> Blocked | None:
    """Say why the cursor cannot be used here, if it cannot."""
    if latest is None:
        return CursorMissing()
    written_in = (latest.system_identifier, latest.database_oid)
    found_in = (here.system_identifier, here.database_oid)
    if written_in == found_in:
        return None
    return RestoredElsewhere(_named(*written_in), _named(*found_in))


async def _reanchor(patient: Connection, epoch: int, refusal: Blocked) -> CursorRow | None:
    """Begin a new cursor if an operator asked for it; raise the refusal if nobody did."""
    request = await requests.next_request(patient)
    if request is None or request.verb != "reanchor":
        raise refusal
    replayed = await outbox_cursor.reanchor(patient, epoch)
    await requests.finish(patient, request, f"{replayed} messages will be published again")
    return await outbox_cursor.latest(patient)


def _report_timeline(latest: CursorRow, here: Server) -> None:
    metrics.TIMELINE.set(here.timeline)
    if latest.timeline != here.timeline:
        # After point-in-time recovery Kafka may know messages that this database does not.
        _log.warning("database_timeline_changed", before=latest.timeline, now=here.timeline)


def _named(system_identifier: str, database_oid: int) -> str:
    return f"cluster {system_identifier}, database {database_oid}"
