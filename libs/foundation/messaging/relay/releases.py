"""Publishes what is parked for a key when operators ask, a page between two windows."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import Transaction
from libs.foundation.messaging.quarantine.failures import author
from libs.foundation.messaging.relay.errors import LeaseLost
from libs.foundation.messaging.relay.parking import ParkedKeys, parked_seq
from libs.foundation.messaging.relay.publisher import HeldBack, Publisher
from libs.foundation.messaging.sql import outbox_parked, request_items
from libs.foundation.messaging.sql.outbox_parked import Settlement
from libs.foundation.messaging.sql.outbox_windows import OutboxRow
from libs.foundation.messaging.sql.request_items import OpenItem
from libs.foundation.observability.logs import get_logger

OWNER: Final = "outbox-relay"
SKIP: Final = "skip"

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
    bulk_rows_per_s: int


async def next_item(connection: Connection) -> OpenItem | None:
    """Return the next key that the relay is asked to retry or skip.

    Each statement is a transaction of its own, so its lock ends with it; the lease is what keeps
    two relays from serving one key. Requests whose keys are done are finished first.
    """
    tx = Transaction(connection)
    await request_items.adopt(tx, OWNER)
    await request_items.stop_asked(tx, OWNER)
    await request_items.close_finished(tx)
    return await request_items.lock_next(tx, OWNER)


async def release_page(desk: Desk, item: OpenItem) -> float:
    """Publish a page of a key's queue, and return how long to leave before the next.

    The key stays parked until a page is the end of its queue, so whatever is newer of it queues
    behind, and everything else is published between two pages. Raises LeaseLost when another
    relay has taken over; what was published by then is published again by that relay.
    """
    page = await outbox_parked.open_rows(
        desk.connection, item.topic, item.key, rows_max=desk.rows_max, bytes_max=desk.bytes_max
    )
    must_skip = item.verb == SKIP and item.skipped == 0
    if must_skip and (not page or item.head not in {None, page[0].seq}):
        await _settle(desk, item, _refusal(item, page))
        return 0.0
    skipped, rows = (page[:1], page[1:]) if must_skip else ([], page)
    held_back = await desk.publisher.publish(rows, desk.check_lease)
    passed = rows[: len(rows) - len(held_back)]
    is_free = not held_back and not (
        page and await outbox_parked.has_more(desk.connection, item, page[-1].seq)
    )
    await _settle(desk, item, _settlement(item, passed, skipped, held_back, is_free=is_free))
    return len(passed) / desk.bulk_rows_per_s if item.of_many else 0.0


def _settlement(
    item: OpenItem,
    passed: Sequence[OutboxRow],
    skipped: Sequence[OutboxRow],
    held_back: Sequence[HeldBack],
    *,
    is_free: bool,
) -> Settlement:
    released, left_out = item.handled + len(passed), item.skipped + len(skipped)
    gap = f"; {left_out} left out for ever, which leaves a gap" if left_out else ""
    result, outcome = None, "running"
    if held_back:
        error = held_back[0].failure.error if held_back[0].failure else "it is held back"
        result, outcome = "stopped", f"stopped: {released} published, then refused: {error}{gap}"
    elif is_free:
        result, outcome = "done", f"finished: {released} published, and the key flows again{gap}"
    return Settlement(
        released_seqs=[row.seq for row in passed],
        skipped_seqs=[row.seq for row in skipped],
        refused=parked_seq(held_back[0].row.seq, held_back[0].failure) if held_back else None,
        key_is_free=is_free,
        result=result,
        outcome=outcome,
    )


def _refusal(item: OpenItem, page: Sequence[OutboxRow]) -> Settlement:
    if not page:
        return Settlement(result="refused", outcome="refused: nothing of the key is parked")
    return Settlement(
        result="refused",
        outcome=f"refused: row {item.head} is no longer the first of its queue, {page[0].seq} is:"
        " nothing was left out",
    )


async def _settle(desk: Desk, item: OpenItem, settlement: Settlement) -> None:
    if not await outbox_parked.settle(desk.connection, desk.epoch, item, settlement, author()):
        raise LeaseLost(desk.epoch)
    if settlement.key_is_free:
        desk.parked.free(item.topic, item.key)
    if settlement.result is not None:
        await request_items.close_finished(Transaction(desk.connection))
        _log.info("request_finished", verb=item.verb, outcome=settlement.outcome)
