"""Headers that every answer has: what a browser may do with it, and who may keep it."""

from typing import Final

from litestar.types import ASGIApp, Message, Receive, Scope, Send

_CACHE: Final = b"cache-control"
_POLICY: Final = b"content-security-policy"
_NOT_KEPT: Final = (_CACHE, b"private, no-store")
# JSON is never a page: nothing may run in it, frame it or include it.
_NOT_A_PAGE: Final = (_POLICY, b"default-src 'none'; frame-ancestors 'none'")
_ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
PROTECTION: Final = (*_ALWAYS, _NOT_A_PAGE, _NOT_KEPT)


class Protection:
    """Adds them; an answer keeps a policy or a rule for caches that it states itself."""

    def __init__(self, next_layer: ASGIApp) -> None:
        self._next_layer = next_layer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def protect(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                stated = {name.lower() for name, _ in headers}
                headers += _ALWAYS
                headers += [each for each in (_NOT_A_PAGE, _NOT_KEPT) if each[0] not in stated]
                message["headers"] = headers
            await send(message)

        await self._next_layer(scope, receive, protect)
