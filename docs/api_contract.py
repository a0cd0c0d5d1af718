"""Makes the OpenAPI document from the endpoints that the API serves."""

from typing import Final

import msgspec
from psycopg_pool import AsyncConnectionPool

from libs.domain.orders.routes.placing import PlacingRoute
from libs.domain.payments.routes.webhooks import WebhookRoute
from libs.foundation.database.connections import Pool
from libs.foundation.web.cursors import SECRET_BYTES_MIN, Cursors
from libs.foundation.web.group_commit import GroupCommitSettings
from services.api.wiring import described, endpoints_of

# Nothing is asked of it: to describe an endpoint is not to call it.
_CLOSED: Final[Pool] = AsyncConnectionPool("", open=False)


def openapi() -> str:
    """Return the document, formatted for people who compare two of them."""
    placing = PlacingRoute(_CLOSED, GroupCommitSettings())
    endpoints = endpoints_of(_CLOSED, placing, Cursors("." * SECRET_BYTES_MIN))
    document = described(endpoints, [WebhookRoute(_CLOSED, {}).endpoint()])
    return msgspec.json.format(document, indent=2).decode() + "\n"
