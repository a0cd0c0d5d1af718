"""Answers paths without parameters at once; the framework routes everything else."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from litestar import Litestar, Request
from litestar.response.base import ASGIResponse
from litestar.types import HTTPScope, Receive, Scope, Send

Answer = Callable[[Request[Any, Any, Any]], Awaitable[ASGIResponse]]
_PLAIN_HOST: Final = re.compile(rb"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class ExactPaths:
    """Calls the same function that the framework would call, with the same request.

    It leaves out routing, layers of exception handlers, argument parsing and the making of a
    response, of which an endpoint here needs none. A request that is not plainly for one of
    `answers` (method, path) goes to the framework, which finds its answer or says why there is
    none.
    """

    def __init__(self, framework: Litestar, answers: Mapping[tuple[str, str], Answer]) -> None:
        self.framework = framework
        # The registered handler has the limits that the request reads from it.
        self._rows = {
            (method, path): (framework.asgi_router.handle_routing(path, method)[1], answer)
            for (method, path), answer in answers.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _has_plain_host(scope):
            row = self._rows.get((scope["method"], scope["path"]))
            if row is not None:
                scope["route_handler"], answer = row
                scope["path_template"] = scope["path"]
                response = await answer(Request(scope, receive, send))
                await response(scope, receive, send)
                return
        await self.framework(scope, receive, send)


def _has_plain_host(scope: HTTPScope) -> bool:
    host = next((value for name, value in scope["headers"] if name == b"host"), None)
    return host is not None and _PLAIN_HOST.fullmatch(host) is not None
