"""Makes the OpenAPI documents from the endpoints that the API and the operators' door serve."""

from typing import Final

import msgspec
from psycopg_pool import AsyncConnectionPool

from libs.domain.operations.installation import EXPECTED, READERS
from libs.domain.orders.routes.placing import PlacingRoute
from libs.domain.payments.routes.webhooks import WebhookRoute
from libs.foundation.administration.status_routes import Installation
from libs.foundation.database.connections import Pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.settings import KafkaSettings
from libs.foundation.web.cursors import SECRET_BYTES_MIN, Cursors
from libs.foundation.web.group_commit import GroupCommitSettings
from services.admin import wiring as admin
from services.api import wiring as api

# Nothing is asked of it: to describe an endpoint is not to call it.
_CLOSED: Final[Pool] = AsyncConnectionPool("", open=False)


def openapi() -> str:
    """Return the document of the API."""
    placing = PlacingRoute(_CLOSED, GroupCommitSettings())
    endpoints = api.endpoints_of(_CLOSED, placing, Cursors("." * SECRET_BYTES_MIN))
    return _formatted(api.described(endpoints, [WebhookRoute(_CLOSED, {}).endpoint()]))


def admin_openapi() -> str:
    """Return the document of the operators' door."""
    nowhere = Installation(
        database=DatabaseSettings(url=""),
        kafka=KafkaSettings(bootstrap_servers=""),
        expected=EXPECTED,
        readers=READERS,
    )
    return _formatted(admin.described(admin.endpoints_of(_CLOSED, nowhere)))


def _formatted(document: bytes) -> str:
    """Lay a document out for people who compare two of them."""
    return msgspec.json.format(document, indent=2).decode() + "\n"
