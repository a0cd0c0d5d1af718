"""Asks the active relay for a replay, for marks to be forgotten, or to stop either."""

from typing import Final, Literal
from uuid import UUID

from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import transaction
from libs.foundation.ids import new_id
from libs.foundation.messaging.asker import Asker
from libs.foundation.messaging.relay.requests import OWNER
from libs.foundation.messaging.replay.selection import ForgetAsked, ReplayAsked, StopAsked
from libs.foundation.messaging.sql import row_requests

RATE_PER_S: Final = 500


async def ask(
    connection: Connection,
    verb: Literal["replay", "forget", "stop"],
    asked: ReplayAsked | ForgetAsked | StopAsked,
    asker: Asker,
) -> UUID:
    """Write the request and return its id; requests are served in the order they are written."""
    request_id = new_id()
    async with transaction(connection) as tx:
        await row_requests.insert(
            tx,
            request_id=request_id,
            owner=OWNER,
            verb=verb,
            requested_by=asker.requested_by,
            reason=asker.reason,
            selection=asked,
        )
    return request_id
