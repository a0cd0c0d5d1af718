"""The OpenAPI 3.1 description of an interface, made from the same table that routes it."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from libs.foundation.web.endpoint import Endpoint
from libs.foundation.web.problems import PROBLEM_JSON
from libs.foundation.web.refusals import FieldError
from libs.foundation.web.reply import JSON

_PATH_PARAMETER: Final = re.compile(r"{([a-z_]+):([a-z]+)}")
_REFERENCE: Final = "#/components/schemas/{name}"
_PATH_SCHEMAS: Final = {"uuid": {"type": "string", "format": "uuid"}, "str": {"type": "string"}}
_HEADER_TEXTS: Final = {
    "Idempotency-Key": "One quoted string per request; a repeat with it gets the same answer.",
    "If-Match": "The ETag this change was decided on.",
    "If-None-Match": "The ETag the caller has, or * to create only.",
}
_REQUIRED_HEADERS: Final = frozenset({"Idempotency-Key"})
_ANSWER_TEXTS: Final = {200: "Done", 201: "Created", 204: "Done; there is nothing to show"}
# What every endpoint may answer beside its own refusals.
_COMMON_PROBLEMS: Final = {
    "400": "malformed-request",
    "401": "unauthenticated",
    "403": "insufficient-scope",
    "404": "not-found",
    "429": "quota-exceeded",
    "500": "internal-error",
    "503": "overloaded",
}
# Python's patterns end with \\Z, those of JSON Schema with $; both as JSON writes them.
_PYTHON_END: Final = rb"\\Z"
_SCHEMA_END: Final = b"$"


def describe(title: str, version: str, endpoints: Sequence[Endpoint]) -> bytes:
    """Return the document as JSON; schemas come from the structs that decode and encode."""
    types = _types(endpoints)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    of_type = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, of_type, components)
        paths.setdefault(endpoint.template, {})[endpoint.method.lower()] = operation
    document = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _problem_schema()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.encode(document, order="sorted").replace(_PYTHON_END, _SCHEMA_END)


def openapi_route(document: bytes) -> HTTPRouteHandler:
    """Serve the document at /openapi.json to anybody."""

    @get("/openapi.json", media_type=MediaType.JSON)
    async def openapi() -> Response[bytes]:
        return Response(document, media_type=MediaType.JSON)

    return openapi


def _types(endpoints: Iterable[Endpoint]) -> list[Any]:
    found: dict[str, Any] = {repr(FieldError): FieldError}
    for endpoint in endpoints:
        for each in (endpoint.body, endpoint.query, *endpoint.answers.values()):
            if each is not None:
                found[repr(each)] = each
    return list(found.values())


def _operation(
    endpoint: Endpoint, schemas: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "description": f"Needs one of the scopes: {', '.join(endpoint.scopes)}.",
        "security": [{"bearer": list(endpoint.scopes)}],
        "parameters": [
            *_path_parameters(endpoint),
            *_headers(endpoint),
            *_query(endpoint, components),
        ],
        "responses": _responses(endpoint, schemas),
    }
    if endpoint.body is not None:
        schema = schemas[repr(endpoint.body)]
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    words = re.findall(r"[a-z0-9]+", endpoint.template)
    return "_".join([endpoint.method.lower(), *words])


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _PATH_SCHEMAS[kind]}
        for name, kind in _PATH_PARAMETER.findall(endpoint.path)
    ]


def _headers(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": header,
            "in": "header",
            "required": header in _REQUIRED_HEADERS,
            "description": _HEADER_TEXTS[header],
            "schema": {"type": "string"},
        }
        for header in endpoint.request_headers
    ]


def _query(endpoint: Endpoint, components: dict[str, Any]) -> list[dict[str, Any]]:
    if endpoint.query is None:
        return []
    properties: dict[str, Any] = components[endpoint.query.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in properties.items()
    ]


def _responses(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, type_ in endpoint.answers.items():
        responses[str(status)] = {"description": _ANSWER_TEXTS[status]}
        if type_ is not None:
            responses[str(status)]["content"] = {JSON: {"schema": schemas[repr(type_)]}}
    if "If-None-Match" in endpoint.request_headers and endpoint.method == "GET":
        responses["304"] = {"description": "The caller has this version"}
    responses |= {status: _problem(code) for status, code in _COMMON_PROBLEMS.items()}
    own = ", ".join(endpoint.own_refusals)
    responses["default"] = _problem(own or "any other problem")
    return responses


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(name="Problem")}
    return {"description": description, "content": {PROBLEM_JSON: {"schema": schema}}}


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string"}
    errors = {"type": "array", "items": {"$ref": _REFERENCE.format(name=FieldError.__name__)}}
    return {
        "title": "Problem",
        "description": "RFC 9457; the last part of `type` is the stable code, further fields too.",
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri"},
            "title": text,
            "status": {"type": "integer"},
            "detail": text,
            "instance": text,
            "trace_id": text,
            "errors": errors,
        },
        "required": ["type", "title", "status", "detail"],
    }
