"""/admin/v1: how the outbox, its relay, the consumers and the installation as a whole are."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from libs.foundation.administration.scopes import READ
from libs.foundation.database.connections import Pool
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.doctor.examination import Examination, Expected, examine
from libs.foundation.messaging.replay.selection import Reader
from libs.foundation.messaging.status.consumers import ConsumersStatus, consumers_status
from libs.foundation.messaging.status.outbox import OutboxStatus, measure_outbox
from libs.foundation.messaging.status.partitions import Partitions, partitions_of_all
from libs.foundation.messaging.status.relay import RelayStatus, relay_status
from libs.foundation.settings import KafkaSettings
from libs.foundation.web.endpoint import Call, Endpoint, Handler
from libs.foundation.web.reply import Reply, reply

_SAMPLE_MAX_S = 5.0


class ConsumersQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sample_s: Annotated[float, Meta(ge=0, le=_SAMPLE_MAX_S)] = 1.0
    """How long to look for the rates, in seconds."""


class OutboxView(Struct, frozen=True, kw_only=True):
    """`backlog` is null when there is no cursor: then nothing is published, see `remedy`."""

    backlog: OutboxStatus | None
    remedy: str | None


class Installation(Struct, frozen=True, kw_only=True):
    """Where to look, and what should be there."""

    database: DatabaseSettings
    kafka: KafkaSettings
    expected: Expected
    readers: Sequence[Reader]


class StatusRoutes:
    """Reads only; what the brokers do not tell in time is null, and the rest is answered."""

    def __init__(self, pool: Pool, installation: Installation) -> None:
        self._pool = pool
        self._installation = installation

    def endpoints(self) -> Sequence[Endpoint]:
        return (
            _read("outbox", self.outbox, OutboxView, "See what is not published yet"),
            _read("relay", self.relay, RelayStatus, "See who relays the outbox, and how far it is"),
            Endpoint(
                method="GET",
                path="/admin/v1/consumers",
                handle=self.consumers,
                scopes=(READ,),
                summary="See how far behind each consumer is, and what it has parked",
                query=ConsumersQuery,
                answers={200: ConsumersStatus},
            ),
            _read(
                "partitions", self.partitions, Partitions, "See what each table's partitions cover"
            ),
            _read("doctor", self.doctor, Examination, "Examine the installation, with remedies"),
        )

    async def outbox(self, _call: Call) -> Reply:
        async with self._pool.connection() as connection:
            backlog = await measure_outbox(connection)
        remedy = "orderly outbox reanchor" if backlog is None else None
        return reply(200, OutboxView(backlog=backlog, remedy=remedy))

    async def relay(self, _call: Call) -> Reply:
        async with self._pool.connection() as connection:
            return reply(200, await relay_status(connection))

    async def consumers(self, call: Call) -> Reply:
        at = self._installation
        sample_s = call.query(ConsumersQuery).sample_s
        async with self._pool.connection() as connection:
            found = await consumers_status(connection, at.kafka, at.readers, sample_s=sample_s)
        return reply(200, found)

    async def partitions(self, _call: Call) -> Reply:
        async with self._pool.connection() as connection:
            return reply(200, await partitions_of_all(connection))

    async def doctor(self, _call: Call) -> Reply:
        at = self._installation
        return reply(200, await examine(at.database, at.kafka, at.expected))


def _read(name: str, handle: Handler, answer: type[Struct], summary: str) -> Endpoint:
    return Endpoint(
        method="GET",
        path=f"/admin/v1/{name}",
        handle=handle,
        scopes=(READ,),
        summary=summary,
        answers={200: answer},
    )
