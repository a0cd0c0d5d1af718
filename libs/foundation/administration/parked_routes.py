"""/admin/v1/parked: what is parked and for which cause, and what a retry or skip would do."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import asdict

from libs.foundation.administration.scopes import READ
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.quarantine import asking, reading
from libs.foundation.messaging.quarantine.asking import Plan
from libs.foundation.messaging.quarantine.reading import FailureGroups, ParkedKeys, ShownKey
from libs.foundation.messaging.sql.parked_listing import Narrowing
from libs.foundation.web.endpoint import Call, Endpoint
from libs.foundation.web.refusals import NotFound
from libs.foundation.web.reply import Reply, reply
from libs.foundation.web.text import FREE_TEXT

Text300: TypeAlias = Annotated[str, Meta(min_length=1, max_length=300, pattern=FREE_TEXT)]
_AGE_MAX_S: Final = 366 * 86_400


class Choice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which keys: each field narrows the choice, by the message that a key's queue waits for."""

    owner: Text300 | None = None
    topic: Text300 | None = None
    key: Text300 | None = None
    fingerprint: Text300 | None = None
    type: Text300 | None = None
    code: Text300 | None = None
    older_than_s: Annotated[float, Meta(ge=0, le=_AGE_MAX_S)] | None = None
    """Only keys that were parked so long ago, in seconds."""

    def narrowing(self) -> Narrowing:
        names = Narrowing.__struct_fields__
        return Narrowing(**{name: value for name, value in asdict(self).items() if name in names})


class ParkedQuery(Choice, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class PlanQuery(ParkedQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    verb: Literal["retry", "skip"] = "retry"


class QueueQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 50


class ParkedRoutes:
    """Reads; a body of a message is never shown."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="GET",
                path="/admin/v1/parked",
                handle=self.keys,
                scopes=(READ,),
                summary="List parked keys, the oldest first",
                query=ParkedQuery,
                answers={200: ParkedKeys},
            ),
            Endpoint(
                method="GET",
                path="/admin/v1/parked/causes",
                handle=self.causes,
                scopes=(READ,),
                summary="List what keys are parked for, by fingerprint",
                query=ParkedQuery,
                answers={200: FailureGroups},
            ),
            Endpoint(
                method="GET",
                path="/admin/v1/parked/plan",
                handle=self.plan,
                scopes=(READ,),
                summary="See what a retry or skip would do; nothing is written",
                query=PlanQuery,
                answers={200: Plan},
            ),
            Endpoint(
                method="GET",
                path="/admin/v1/parked/{owner:str}/{topic:str}/{key:str}",
                handle=self.key,
                scopes=(READ,),
                summary="See the queue of a key, with every attempt so far",
                query=QueueQuery,
                answers={200: ShownKey},
            ),
        )

    async def keys(self, call: Call) -> Reply:
        query = call.query(ParkedQuery)
        async with transaction(self._pool) as tx:
            return reply(200, await reading.list_keys(tx, query.narrowing(), query.limit))

    async def causes(self, call: Call) -> Reply:
        query = call.query(ParkedQuery)
        async with transaction(self._pool) as tx:
            return reply(200, await reading.list_causes(tx, query.narrowing(), query.limit))

    async def plan(self, call: Call) -> Reply:
        query = call.query(PlanQuery)
        async with transaction(self._pool) as tx:
            found = await asking.plan(tx, query.verb, query.narrowing(), query.limit)
        return reply(200, found)

    async def key(self, call: Call) -> Reply:
        limit = call.query(QueueQuery).limit
        owner, topic, key = (_name(call, part) for part in ("owner", "topic", "key"))
        async with transaction(self._pool) as tx:
            found = await reading.show_key(tx, owner, topic, key, limit)
        if found is None:
            raise NotFound("parked key")
        return reply(200, found)


def _name(call: Call, part: str) -> str:
    try:
        return msgspec.convert(call.path(part, str), Text300)
    except msgspec.ValidationError:
        raise NotFound("parked key") from None
