"""A collector of traces that keeps what it is sent, as OTLP over HTTP."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from aiohttp import web
from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from deploy.local.ports import LOOPBACK


class SeenSpan(Struct, frozen=True, kw_only=True):
    """One span; ids are hexadecimal, a link is the pair (trace, span)."""

    process: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[tuple[str, str], ...]


class Collector:
    """Everything that was received so far."""

    def __init__(self) -> None:
        self.spans: list[SeenSpan] = []

    async def receive(self, request: web.Request) -> web.Response:
        batch = ExportTraceServiceRequest.FromString(await request.read())
        self.spans += _spans(batch)
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")


@asynccontextmanager
async def open_collector(port: int) -> AsyncGenerator[Collector]:
    collector = Collector()
    application = web.Application()
    application.add_routes([web.post("/v1/traces", collector.receive)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        yield collector
    finally:
        await runner.cleanup()


def _spans(batch: ExportTraceServiceRequest) -> Iterable[SeenSpan]:
    for of_process in batch.resource_spans:
        for scope in of_process.scope_spans:
            for span in scope.spans:
                yield SeenSpan(
                    process=_name(of_process.resource),
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                )


def _name(resource: Resource) -> str:
    return next(one.value.string_value for one in resource.attributes if one.key == "service.name")
