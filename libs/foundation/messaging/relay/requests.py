"""Operators ask, the active relay acts: retry, skip, handover, between two windows."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.relay.errors import HandedOver, LeaseLost
from libs.foundation.messaging.relay.parking import ParkedKeys
from libs.foundation.messaging.relay.publisher import HeldBack, Publisher
from libs.foundation.messaging.sql import operator_requests, outbox_parked
from libs.foundation.messaging.sql.operator_requests import Request
from libs.foundation.messaging.sql.outbox_parked import Settlement
from libs.foundation.observability.logs import get_logger

OWNER: Final = "outbox-relay"

_log: Final = get_logger(__name__)


class Desk(Struct, frozen=True, kw_only=True):
    """What serving a request needs; all of it belongs to one session of one epoch."""

    connection: Connection
    publisher: Publisher
    parked: ParkedKeys
    epoch: int
    check_lease: Callable[[], None]
    rows_max: int
    bytes_max: int


async def next_request(connection: Connection) -> Request | None:
    """Return the oldest open request to the relay.

    The statement is a transaction of its own, so its lock ends with it; the lease is what keeps
    two relays from serving one request.
    """
    return await operator_requests.lock_next(Transaction(connection), OWNER)


async def serve(desk: Desk, request: Request) -> None:
    """Do what is asked and write down what came of it.

    Raises HandedOver once a handover is written down, LeaseLost when another relay has taken
    over; what was published by then is published again by that relay's answer to the request.
    """
    _log.info("request_begun", verb=request.verb, topic=request.topic, key=request.key)
    if request.verb == "handover":
        await finish(desk.connection, request, "handed over")
        raise HandedOver(f"asked by {request.requested_by}")
    if request.verb == "reanchor":
        await finish(desk.connection, request, "not needed: the cursor belongs to this database")
    elif request.topic is None or request.key is None:
        await finish(desk.connection, request, "refused: name a topic and a key")
    else:
        await _release(desk, request, request.topic, request.key)


async def finish(connection: Connection, request: Request, outcome: str) -> None:
    """Write down what came of a request."""
    await operator_requests.finish(Transaction(connection), request.id, outcome)
    _log.info("request_finished", verb=request.verb, outcome=outcome)


async def _release(desk: Desk, request: Request, topic: str, key: str) -> None:
    """Publish what queues for a key, in order, before any newer row of it; skip its head first.

    No window is published meanwhile, so when the key is free the next window is the first to
    bring newer rows.
    """
    skips = request.verb == "skip"
    released = 0
    while True:
        page = await outbox_parked.open_rows(
            desk.connection, topic, key, rows_max=desk.rows_max, bytes_max=desk.bytes_max
        )
        skipped, rows = (page[:1], page[1:]) if skips else ([], page)
        skips = False
        held_back = await desk.publisher.publish(rows, desk.check_lease)
        passed = rows[: len(rows) - len(held_back)]
        released += len(passed)
        is_over = bool(held_back) or not page
        settlement = Settlement(
            topic=topic,
            key=key,
            released_seqs=[row.seq for row in passed],
            skipped_seqs=[row.seq for row in skipped],
            key_is_free=is_over and not held_back,
            request_id=request.id,
            outcome=_outcome(released, held_back) if is_over else None,
        )
        if not await outbox_parked.settle(desk.connection, desk.epoch, settlement):
            raise LeaseLost(desk.epoch)
        if is_over:
            if not held_back:
                desk.parked.free(topic, key)
            return


def _outcome(released: int, held_back: Sequence[HeldBack]) -> str:
    if held_back:
        return f"{released} published, then refused again: {held_back[0].error}"
    return f"{released} published; the key is free"
