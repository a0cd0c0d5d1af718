"""POST /v1/payment-webhooks/{provider}: stores what a provider says, for the worker to read."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from libs.domain.payments.provider_names import SIMULATOR
from libs.domain.payments.sql import webhooks
from libs.foundation.database.connections import Pool
from libs.foundation.database.transaction import transaction
from libs.foundation.web.public import PublicEndpoint, RawCall
from libs.foundation.web.refusals import MalformedRequest, NotFound
from libs.foundation.web.reply import Reply, reply
from libs.foundation.web.webhook_signatures import (
    SIGNED,
    WebhookSignatureInvalid,
    WebhookSignatures,
)

PATH: Final = "/v1/payment-webhooks/{provider:str}"
_EVENT_ID_MAX: Final = 255
_Provider = Annotated[str, Meta(examples=[SIMULATOR])]


class WebhookStored(Struct, frozen=True, kw_only=True):
    """Nothing but the status says it: stored now, or before."""


class WebhookRoute:
    """`signatures` are those of the providers whose webhooks are taken, by name."""

    def __init__(self, pool: Pool, signatures: Mapping[str, WebhookSignatures]) -> None:
        self._pool = pool
        self._signatures = signatures

    def endpoint(self) -> PublicEndpoint:
        return PublicEndpoint(
            method="POST",
            path=PATH,
            handle=self._receive,
            proof=SIGNED,
            summary="Tell what became of a payment operation",
            description="For payment providers. A repeat is answered alike and changes nothing; the"
            " body is that of the provider, read after the answer.",
            answers={HTTPStatus.OK: WebhookStored},
            body=dict[str, Any],
            path_types={"provider": _Provider},
            refusals=("malformed-request", WebhookSignatureInvalid.code),
        )

    async def _receive(self, call: RawCall) -> Reply:
        """Store it durably and answer; a repeat is answered alike and changes nothing."""
        provider = str(call.path["provider"])
        signatures = self._signatures.get(provider)
        if signatures is None:
            raise NotFound("payment provider")
        event_id = signatures.verify(call.headers, call.body)
        if not event_id.isprintable() or len(event_id) > _EVENT_ID_MAX:
            raise MalformedRequest("the webhook's id is not printable text of 255 characters")
        async with transaction(self._pool) as tx:
            await webhooks.store(tx, provider, event_id, call.body)
        return reply(HTTPStatus.OK, WebhookStored())
