"""Pages for people: an explanation of each problem, and the description of the API to try out."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

from litestar import HttpMethod, Request
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from libs.foundation.web.problem_types import Catalogue, ProblemType
from libs.foundation.web.reply import JSON, Reply, response

PROBLEMS_PATH: Final = "/problems/"
REFERENCE_PATH: Final = "/docs"
_HTML: Final = "text/html; charset=utf-8"
_SCRIPT: Final = "text/javascript; charset=utf-8"
_READ: Final = (HttpMethod.GET, HttpMethod.HEAD)
AnyRequest = Request[Any, Any, Any]
_REVALIDATED: Final = {"Cache-Control": "no-cache"}
# A page loads nothing but this server's own; style attributes are what the UI cannot do without.
_REFERENCE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_REFERENCE_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
# Without a validator: the UI would send the document to a service of its makers.
_START: Final = """SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#reference", validatorUrl: null, deepLinking: true,
  defaultModelsExpandDepth: 0, displayRequestDuration: true, persistAuthorization: false
});
"""
_ASSETS: Final = Path(__file__).parent / "assets"
_ASSET_TYPES: Final = {
    "swagger-ui-bundle.js": _SCRIPT,
    "swagger-ui.css": "text/css; charset=utf-8",
}


def openapi_route(document: bytes) -> HTTPRouteHandler:
    """Serve the description of the API to anybody."""
    return _fixed("/openapi.json", document, JSON, _REVALIDATED)


def problem_routes(types: Catalogue) -> list[HTTPRouteHandler]:
    """Serve the page of each problem at its code, and a list of all of them."""
    pages = {code: _problem_page(each).encode() for code, each in types.items()}

    async def problem(request: AnyRequest) -> ASGIResponse:
        page = pages.get(request.path_params["code"])
        if page is None:
            raise NotFoundException("there is no such problem")
        return _sent(request, page, _HTML, _REVALIDATED)

    one = HTTPRouteHandler(f"{PROBLEMS_PATH}{{code:str}}", http_method=_READ)
    return [
        one(problem),
        _fixed(PROBLEMS_PATH, _index_page(types).encode(), _HTML, _REVALIDATED),
    ]


def reference_routes(title: str) -> list[HTTPRouteHandler]:
    """Serve a page that shows the description and tries it out; nothing comes from elsewhere."""
    policy = {**_REVALIDATED, "Content-Security-Policy": _REFERENCE_POLICY}
    page = _REFERENCE_PAGE.format(title=escape(title)).encode()
    return [
        _fixed(REFERENCE_PATH, page, _HTML, policy),
        _fixed(f"{REFERENCE_PATH}/start.js", _START.encode(), _SCRIPT, _REVALIDATED),
        *(_asset(name, media_type) for name, media_type in _ASSET_TYPES.items()),
    ]


def _asset(name: str, media_type: str) -> HTTPRouteHandler:
    """Serve an asset as it is stored: compressed, which every browser takes."""
    body = (_ASSETS / f"{name}.gz").read_bytes()
    headers = {"Content-Encoding": "gzip", "Cache-Control": "public, max-age=86400"}
    return _fixed(f"{REFERENCE_PATH}/{name}", body, media_type, headers)


def _fixed(path: str, body: bytes, media_type: str, headers: Mapping[str, str]) -> HTTPRouteHandler:
    async def answer(request: AnyRequest) -> ASGIResponse:
        return _sent(request, body, media_type, headers)

    return HTTPRouteHandler(path, http_method=_READ)(answer)


def _sent(
    request: AnyRequest, body: bytes, media_type: str, headers: Mapping[str, str]
) -> ASGIResponse:
    reply = Reply(status=200, body=body, media_type=media_type, headers=headers)
    return response(reply, head=request.method == HttpMethod.HEAD)


def _index_page(types: Catalogue) -> str:
    rows = "".join(
        f'<li><a href="{PROBLEMS_PATH}{each.code}">{escape(each.title)}</a> ({each.status})</li>'
        for each in types.values()
    )
    return _page("Problems", f"<ul>{rows}</ul>")


def _problem_page(each: ProblemType) -> str:
    fields = "".join(
        f"<dt><code>{escape(name)}</code></dt><dd>{_marked(text)}</dd>"
        for name, text in each.fields.items()
    )
    described = f"<h2>Fields</h2><dl>{fields}</dl>" if fields else ""
    return _page(
        each.title,
        f"<p><code>{escape(each.code)}</code>, HTTP status {each.status}</p>"
        f"<p>{_marked(each.meaning)}</p>"
        f"<h2>What to do</h2><p>{_marked(each.remedy)}</p>{described}",
    )


def _page(title: str, content: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"</head><body><h1>{escape(title)}</h1>{content}</body></html>\n"
    )


def _marked(text: str) -> str:
    """Show what stands between backticks as code."""
    parts = escape(text, quote=False).split("`")
    return "".join(
        f"<code>{part}</code>" if index % 2 else part for index, part in enumerate(parts)
    )
