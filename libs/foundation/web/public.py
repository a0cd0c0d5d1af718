"""Routes without a bearer token, which get the raw body: who calls proves it in another way."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from litestar import HttpMethod, Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from msgspec import Struct

from libs.foundation.web.endpoint import template_of
from libs.foundation.web.problems import Problems
from libs.foundation.web.reply import Reply, response

AnyRequest = Request[Any, Any, Any]


class RawCall(Struct, frozen=True, kw_only=True):
    """A request as it came: header names in lower case, the body within the body limit."""

    path: Mapping[str, object]
    headers: Mapping[str, str]
    body: bytes


class Proof(Struct, frozen=True, kw_only=True):
    """How a caller without a token proves who it is: a header, made of others and the body."""

    name: str
    header: str
    meaning: str
    made_of: Mapping[str, str] = {}  # The other headers it needs, by what they hold.


class PublicEndpoint(Struct, frozen=True, kw_only=True):
    """One row: a route that nobody is authenticated for before its handler.

    `body`, `path_types`, `answers` (a type per status) and `refusals` describe it to readers, as
    those of an endpoint do.
    """

    method: str
    path: str
    handle: Callable[[RawCall], Awaitable[Reply]]
    proof: Proof
    summary: str
    description: str
    answers: Mapping[int, Any]
    body: Any
    path_types: Mapping[str, Any] = {}
    refusals: tuple[str, ...] = ()

    @property
    def template(self) -> str:
        return template_of(self.path)


def public_route(
    endpoint: PublicEndpoint, problems: Problems, *, deadline_ms: int
) -> HTTPRouteHandler:
    """Give the endpoint what every other one has: a deadline, and problems for errors."""

    async def answer(request: AnyRequest) -> ASGIResponse:
        try:
            async with asyncio.timeout(deadline_ms / 1_000):
                call = RawCall(
                    path=request.path_params,
                    headers=dict(request.headers.items()),
                    body=await request.body(),
                )
                return response(await endpoint.handle(call))
        except Exception as error:  # noqa: BLE001 - every error becomes a problem, none escapes.
            return response(problems.of(error, endpoint.method))

    method = HttpMethod(endpoint.method)
    return HTTPRouteHandler(endpoint.path, http_method=method, status_code=200)(answer)
