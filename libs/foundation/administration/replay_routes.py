"""/admin/v1/replays: what was sent again, or is being sent, and what consumers were to forget."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

from libs.foundation.administration.scopes import READ
from libs.foundation.database.connections import Pool
from libs.foundation.messaging.sql import row_requests
from libs.foundation.messaging.sql.row_requests import Listed
from libs.foundation.web.endpoint import Call, Endpoint
from libs.foundation.web.refusals import NotFound
from libs.foundation.web.reply import Reply, reply


class ReplayQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 50


class Replays(Struct, frozen=True, kw_only=True):
    """Open requests first, then the newest."""

    requests: list[Listed]


class ReplayRoutes:
    """A replay is asked for on the command line only, after its dry run."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint(
                method="GET",
                path="/admin/v1/replays",
                handle=self.list,
                scopes=(READ,),
                summary="List replays and forgotten marks",
                query=ReplayQuery,
                answers={200: Replays},
            ),
            Endpoint(
                method="GET",
                path="/admin/v1/replays/{request_id:uuid}",
                handle=self.get,
                scopes=(READ,),
                summary="See how far a replay is",
                answers={200: Listed},
            ),
        )

    async def list(self, call: Call) -> Reply:
        limit = call.query(ReplayQuery).limit
        async with self._pool.connection() as connection:
            return reply(200, Replays(requests=await row_requests.listed(connection, limit)))

    async def get(self, call: Call) -> Reply:
        async with self._pool.connection() as connection:
            found = await row_requests.about(connection, call.path("request_id", UUID))
        if found is None:
            raise NotFound("replay")
        return reply(200, found)
