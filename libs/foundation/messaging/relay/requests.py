"""Operators ask, the active relay acts: handover and reanchor, and keys between two windows."""

from typing import Final

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.relay import releases
from libs.foundation.messaging.relay.errors import HandedOver
from libs.foundation.messaging.relay.releases import OWNER, Desk
from libs.foundation.messaging.sql import operator_requests
from libs.foundation.messaging.sql.operator_requests import Request
from libs.foundation.observability.logs import get_logger

_log: Final = get_logger(__name__)


async def next_request(connection: Connection) -> Request | None:
    """Return the oldest open request to the relay that is not about keys.

    The statement is a transaction of its own, so its lock ends with it; the lease is what keeps
    two relays from serving one request.
    """
    return await operator_requests.lock_next(Transaction(connection), OWNER)


async def serve_next(desk: Desk) -> float | None:
    """Do a piece of what is asked, and say how long to rest then; None when nothing is.

    Raises HandedOver once a handover is written down, LeaseLost when another relay has taken
    over.
    """
    request = await next_request(desk.connection)
    if request is not None:
        await _serve(desk, request)
        return 0.0
    item = await releases.next_item(desk.connection)
    return None if item is None else await releases.release_page(desk, item)


async def finish(connection: Connection, request: Request, outcome: str) -> None:
    """Write down what came of a request."""
    await operator_requests.finish(Transaction(connection), request.id, outcome)
    _log.info("request_finished", verb=request.verb, outcome=outcome)


async def _serve(desk: Desk, request: Request) -> None:
    _log.info("request_begun", verb=request.verb)
    if request.verb == "handover":
        await finish(desk.connection, request, "handed over")
        raise HandedOver(f"asked by {request.requested_by}")
    if request.verb == "reanchor":
        await finish(desk.connection, request, "not needed: the cursor belongs to this database")
    elif request.verb == "resume":
        await finish(desk.connection, request, "refused: the relay never stops parking")
    else:
        await finish(desk.connection, request, "refused: name a topic and a key")
