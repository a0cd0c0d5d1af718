"""Builds the application: routing by the framework, everything around a handler by one function."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from litestar import HttpMethod, Litestar, Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp
from msgspec import Struct

from libs.foundation.web.authentication import Principal
from libs.foundation.web.bearer.authenticator import Authenticator
from libs.foundation.web.endpoint import Call, Endpoint
from libs.foundation.web.exact_paths import Answer, ExactPaths
from libs.foundation.web.negotiation import check_acceptable
from libs.foundation.web.problems import Problems
from libs.foundation.web.quotas.quotas import Quotas
from libs.foundation.web.reply import Reply, response

AnyRequest = Request[Any, Any, Any]


class Access(Struct, frozen=True, kw_only=True):
    """Who is let in, and how often; an interface for a few people has no quotas."""

    authenticator: Authenticator
    quotas: Quotas | None


class Limits(Struct, frozen=True, kw_only=True):
    """What one request may take."""

    body_bytes_max: int
    deadline_ms: int


def application(
    endpoints: Sequence[Endpoint],
    public: Sequence[HTTPRouteHandler],
    access: Access,
    problems: Problems,
    limits: Limits,
) -> ASGIApp:
    """Return the ASGI application that serves `endpoints`, and `public` without authentication."""
    answers = [(each, _answer(each, access, problems, limits)) for each in endpoints]
    handlers = [
        # First: the framework adds one of its own to a path that has none yet.
        *(_options(path, methods) for path, methods in _methods_by_path(endpoints).items()),
        *(_handler(endpoint, answer) for endpoint, answer in answers),
    ]

    def explain(request: AnyRequest, error: Exception) -> Response[bytes]:
        problem = problems.of(error, request.method)
        return Response(
            problem.body,
            status_code=problem.status,
            headers=dict(problem.headers),
            media_type=problem.media_type,
        )

    framework = Litestar(
        [*handlers, *public],
        exception_handlers={Exception: explain},
        openapi_config=None,
        request_max_body_size=limits.body_bytes_max,
        logging_config=None,
        debug=False,
    )
    exact = {(row.method, row.path): answer for row, answer in answers if row.path == row.template}
    return ExactPaths(framework, exact)


def _methods_by_path(endpoints: Sequence[Endpoint]) -> dict[str, list[HttpMethod]]:
    found: dict[str, list[HttpMethod]] = {}
    for endpoint in endpoints:
        found.setdefault(endpoint.path, [HttpMethod.OPTIONS]).extend(_methods(endpoint))
    return found


def _options(path: str, methods: Sequence[HttpMethod]) -> HTTPRouteHandler:
    """Tell a path's methods to anybody; the framework's own answer knows one endpoint's only."""
    allow = {"Allow": ", ".join(sorted(methods))}

    async def answer() -> ASGIResponse:
        return ASGIResponse(status_code=HTTPStatus.NO_CONTENT, headers=allow)

    return HTTPRouteHandler(path, http_method=HttpMethod.OPTIONS)(answer)


def _methods(endpoint: Endpoint) -> list[HttpMethod]:
    method = HttpMethod(endpoint.method)
    return [method, HttpMethod.HEAD] if method is HttpMethod.GET else [method]


def _answer(endpoint: Endpoint, access: Access, problems: Problems, limits: Limits) -> Answer:
    deadline_s = limits.deadline_ms / 1_000
    deprecation = endpoint.deprecation

    async def answer(request: AnyRequest) -> ASGIResponse:
        standing: Mapping[str, str] = {}
        try:
            check_acceptable(request.headers.getall("accept", []))
            async with asyncio.timeout(deadline_s):
                authorization = request.headers.getall("authorization", [])
                principal = await access.authenticator.authenticate(authorization)
                if access.quotas is not None:
                    standing = await access.quotas.spend(principal)
                reply = await _handled(endpoint, principal, request)
        except Exception as error:  # noqa: BLE001 - every error becomes a problem, none escapes.
            reply = problems.of(error, endpoint.method)
        if deprecation is not None:
            standing = {**standing, **deprecation.headers}
        return response(reply, standing, head=request.method == HttpMethod.HEAD)

    return answer


def _handler(endpoint: Endpoint, answer: Answer) -> HTTPRouteHandler:
    route = HTTPRouteHandler(endpoint.path, http_method=_methods(endpoint), status_code=200)
    return route(answer)


async def _handled(endpoint: Endpoint, principal: Principal, request: AnyRequest) -> Reply:
    principal.require(*endpoint.scopes)
    return await endpoint.handle(Call(request, principal, endpoint))
