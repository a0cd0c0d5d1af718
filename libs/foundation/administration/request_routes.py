"""/admin/v1/requests: what operators have asked for, and asking for a retry or skip."""

from collections.abc import Sequence
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta, Struct
from psycopg.errors import UniqueViolation

from libs.foundation.administration.parked_routes import Choice, Text300
from libs.foundation.administration.refusals import (
    AskedBefore,
    NothingChosen,
    NothingParked,
    RequestIdTaken,
)
from libs.foundation.administration.scopes import ACT, READ
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import Transaction, transaction
from libs.foundation.messaging.asker import Asker
from libs.foundation.messaging.quarantine import asking, audit
from libs.foundation.messaging.quarantine.asking import Outcome, Refused, Verb
from libs.foundation.messaging.quarantine.audit import AuditList
from libs.foundation.messaging.sql.operator_audit import AuditNarrowing
from libs.foundation.messaging.sql.parked_listing import Narrowing
from libs.foundation.web.endpoint import Call, Endpoint
from libs.foundation.web.refusals import NotFound
from libs.foundation.web.reply import Reply, reply
from libs.foundation.web.text import Text200, normalise

_ITEMS_MAX: Final = 1_000


class ParkedRequestIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`all` must be true for a choice that nothing narrows."""

    verb: Verb
    choice: Choice
    reason: Text200
    all: bool = False

    def __post_init__(self) -> None:
        normalise(self, "reason")


class RequestsQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    owner: Text300 | None = None
    verb: Text300 | None = None
    by: Text300 | None = None
    topic: Text300 | None = None
    key: Text300 | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


_DECODER: Final = msgspec.json.Decoder(ParkedRequestIn)


class RequestRoutes:
    """The owner of a key acts, within a second or so; GET tells how far it has come."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="GET",
                path="/admin/v1/requests",
                handle=self.list,
                scopes=(READ,),
                summary="List what operators have asked for, the newest first",
                query=RequestsQuery,
                answers={200: AuditList},
            ),
            Endpoint(
                method="GET",
                path="/admin/v1/requests/{request_id:uuid}",
                handle=self.get,
                scopes=(READ,),
                summary="See how far a request has come, and what came of each of its keys",
                answers={200: Outcome},
            ),
            Endpoint(
                method="PUT",
                path="/admin/v1/requests/{request_id:uuid}",
                handle=self.ask,
                scopes=(ACT,),
                summary="Ask for a retry or skip of parked keys, under an id of your own",
                body=ParkedRequestIn,
                answers={200: Outcome, 202: Outcome},
                refusals=("nothing-chosen", "nothing-parked", "asked-before", "request-id-taken"),
            ),
        )

    async def list(self, call: Call) -> Reply:
        query = call.query(RequestsQuery)
        narrowing = AuditNarrowing(
            owner=query.owner, verb=query.verb, by=query.by, topic=query.topic, key=query.key
        )
        async with transaction(self._pool) as tx:
            return reply(200, await audit.list_requests(tx, narrowing, query.limit))

    async def get(self, call: Call) -> Reply:
        async with transaction(self._pool) as tx:
            found = await asking.outcome(tx, call.path("request_id", UUID), _ITEMS_MAX)
        if found is None:
            raise NotFound("request")
        return reply(200, found)

    async def ask(self, call: Call) -> Reply:
        """Ask once however often it is sent: a second skip would leave out a second message."""
        request_id, wanted = call.path("request_id", UUID), await call.content(_DECODER)
        narrowing = wanted.choice.narrowing()
        if narrowing == Narrowing() and not wanted.all:
            raise NothingChosen
        asker = Asker(requested_by=call.principal.id, reason=wanted.reason)
        try:
            return await self._once(request_id, wanted.verb, narrowing, asker)
        except UniqueViolation:  # A twin of this request was faster.
            return await self._once(request_id, wanted.verb, narrowing, asker)

    async def _once(
        self, request_id: UUID, verb: Verb, narrowing: Narrowing, asker: Asker
    ) -> Reply:
        async with transaction(self._pool) as tx:
            known = await asking.outcome(tx, request_id, _ITEMS_MAX)
            if known is not None:
                return _repeated(known, verb, asker)
            is_new = await _ask(tx, request_id, verb, narrowing, asker)
            asked = await asking.outcome(tx, request_id, _ITEMS_MAX)
        return reply(202 if is_new else 200, asked)


async def _ask(
    tx: Transaction, request_id: UUID, verb: Verb, narrowing: Narrowing, asker: Asker
) -> bool:
    """Ask, and return whether this call did, or a twin that was faster."""
    try:
        asked = await asking.ask(tx, verb, narrowing, asker, request_id)
    except Refused as error:
        raise NothingParked(str(error)) from None
    if asked.request_id != request_id:
        raise AskedBefore(asked.request_id)
    return asked.new_keys > 0


def _repeated(known: Outcome, verb: Verb, asker: Asker) -> Reply:
    request = known.request
    if (request.verb, request.requested_by, request.reason) != (
        verb,
        asker.requested_by,
        asker.reason,
    ):
        raise RequestIdTaken
    return reply(200, known)
