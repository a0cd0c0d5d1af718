"""Says what a retry or skip would do, asks for it, and tells what came of each key."""

from typing import Final, Literal
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from libs.foundation.database.transaction import Transaction
from libs.foundation.ids import new_id
from libs.foundation.messaging.asker import Asker
from libs.foundation.messaging.sql import (
    operator_audit,
    operator_requests,
    parked_listing,
    request_items,
)
from libs.foundation.messaging.sql.operator_audit import Audited, AuditNarrowing
from libs.foundation.messaging.sql.parked_listing import HeldKey, Narrowing
from libs.foundation.messaging.sql.request_items import Item, NewRequest

Verb = Literal["retry", "skip"]

# Of requests for many keys: no process has this name, the owner of each key stands in its item.
SEVERAL_OWNERS: Final = "several"
KEYS_MAX: Final = 10_000


class Refused(Exception):
    """Nothing was asked for; the text says what to give."""


class PlannedKey(Struct, frozen=True, kw_only=True):
    """What would be done with a key; `effect` says it in words."""

    key: HeldKey
    effect: str


class Plan(Struct, frozen=True, kw_only=True):
    """What a request would do; `matching` counts every key, `keys` holds the first of them."""

    verb: Verb
    keys: list[PlannedKey]
    matching: int


class Asked(Struct, frozen=True, kw_only=True):
    """The request to look at: a new one for `new_keys`, or one that had asked for all of them."""

    request_id: UUID
    new_keys: int


class Outcome(Struct, frozen=True, kw_only=True):
    """How far a request has come; of its items those that are not done come first."""

    request: Audited
    items: list[Item]


def is_one_key(narrowing: Narrowing) -> bool:
    """Say whether the choice names one key, so that no more than it can match."""
    return None not in {narrowing.owner, narrowing.topic, narrowing.key}


async def plan(tx: Transaction, verb: Verb, narrowing: Narrowing, limit: int) -> Plan:
    """Say what a request would do; nothing is written."""
    found = await parked_listing.keys(tx, narrowing, limit)
    return Plan(
        verb=verb,
        keys=[PlannedKey(key=held, effect=effect_on(verb, held)) for held in found],
        matching=await parked_listing.count(tx, narrowing),
    )


async def ask(
    tx: Transaction,
    verb: Verb,
    narrowing: Narrowing,
    asker: Asker,
    request_id: UUID | None = None,
) -> Asked:
    """Ask the owners of every key that matches, up to KEYS_MAX of them; under a new id if none.

    Keys that somebody has asked for and that are not done stay with that request, so that asking
    again goes on with what was asked before. A skip is for the message that is first now: should
    another one be first by then, nothing is left out. Raises Refused when there is nothing to do.
    """
    found = await parked_listing.keys(tx, narrowing, KEYS_MAX)
    if not found:
        raise Refused("nothing that matches is parked")
    open_requests = {held.asked_request for held in found}
    if None not in open_requests:
        return _joined(verb, found)
    request_id = request_id or new_id()
    is_one = is_one_key(narrowing)
    request = NewRequest(
        id=request_id,
        owner=narrowing.owner if is_one and narrowing.owner else SEVERAL_OWNERS,
        verb=verb,
        topic=narrowing.topic if is_one else None,
        key=narrowing.key if is_one else None,
        requested_by=asker.requested_by,
        reason=asker.reason,
        key_selection=None if is_one else _as_asked(narrowing),
    )
    await request_items.insert_request(tx, request)
    asked = await parked_listing.ask(tx, request_id, narrowing, of_many=not is_one, limit=KEYS_MAX)
    if asked == 0:
        raise Refused("somebody else has just asked for every key that matches: look again")
    return Asked(request_id=request_id, new_keys=asked)


async def ask_resume(tx: Transaction, owner: str, asker: Asker) -> UUID:
    """Ask every process of a consumer that has stopped parking to park again."""
    request_id = new_id()
    await operator_requests.insert(
        tx,
        request_id=request_id,
        owner=owner,
        verb="resume",
        topic=None,
        key=None,
        requested_by=asker.requested_by,
        reason=asker.reason,
    )
    return request_id


async def ask_stop(tx: Transaction, target: UUID, asker: Asker) -> UUID:
    """Ask the owners of a request's keys to leave those parked that are not done.

    Raises Refused when the request is over, or is none for keys.
    """
    found = await operator_audit.requests(tx, AuditNarrowing(id=target), 1)
    if not found or found[0].finished_at is not None or found[0].keys == 0:
        raise Refused(f"no request {target} for parked keys is under way")
    request_id = new_id()
    request = NewRequest(
        id=request_id,
        owner=SEVERAL_OWNERS,
        verb="stop",
        topic=None,
        key=None,
        requested_by=asker.requested_by,
        reason=asker.reason,
        key_selection=msgspec.json.encode({"request": target}).decode(),
    )
    await request_items.insert_request(tx, request)
    return request_id


async def outcome(tx: Transaction, request_id: UUID, limit: int) -> Outcome | None:
    """Return how far a request has come; None when there is no such request."""
    found = await operator_audit.requests(tx, AuditNarrowing(id=request_id), 1)
    if not found:
        return None
    return Outcome(request=found[0], items=await request_items.of_request(tx, request_id, limit))


def _as_asked(narrowing: Narrowing) -> str:
    given = {name: value for name, value in asdict(narrowing).items() if value is not None}
    return msgspec.json.encode(given).decode()


def _joined(verb: Verb, found: list[HeldKey]) -> Asked:
    for held in found:
        if held.asked_verb != verb or held.asked_request is None:
            raise Refused(
                f"request {held.asked_request} to {held.asked_verb} is not done with key {held.key}"
            )
    requests = {held.asked_request for held in found if held.asked_request is not None}
    return Asked(request_id=max(requests), new_keys=0)


def effect_on(verb: Verb, held: HeldKey) -> str:
    """Say in words what would be done with a key."""
    if held.head is None:
        return "nothing waits: the key would flow again"
    if verb == "skip":
        rest = f"then run {held.messages - 1} in order" if held.messages > 1 else "then flow again"
        return f"leave {held.head} out for ever, which leaves a gap; {rest}"
    warning = ""
    if held.code == "outside_window":
        warning = "; it is older than the inbox: make sure that it took no effect before"
    return f"run {held.messages} in order from {held.head}{warning}"
