"""The OpenAPI 3.1 description of an interface, made from the same table that routes it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from libs.foundation.web.endpoint import Endpoint
from libs.foundation.web.openapi_answers import answers, headers_described, public_answers
from libs.foundation.web.problem_types import Catalogue
from libs.foundation.web.public import Proof, PublicEndpoint
from libs.foundation.web.refusals import FieldError
from libs.foundation.web.reply import JSON

_PATH_PARAMETER: Final = re.compile(r"{([a-z_]+):([a-z]+)}")
_REFERENCE: Final = "#/components/schemas/{name}"
_PATH_SCHEMAS: Final = {"uuid": {"type": "string", "format": "uuid"}, "str": {"type": "string"}}
_TEXT: Final = {"type": "string"}
# The rule of idempotency.parse_key, in the words of JSON Schema.
_KEY_PATTERN: Final = r'^(?:"(?:[ !#-\[\]-~]|\\["\\]){1,255}"|[!#-+\--:<-~]{1,255})$'
_HEADERS: Final[Mapping[str, tuple[str, Any]]] = {
    "Idempotency-Key": (
        "New for each thing that is to happen once; a repeat with it gets the same answer.",
        {"type": "string", "pattern": _KEY_PATTERN},
    ),
    "If-Match": ("The ETag this change was decided on; * for whichever there is.", _TEXT),
    "If-None-Match": ("The ETag the caller has; * to create only.", _TEXT),
}
_REQUIRED_HEADERS: Final = frozenset({"Idempotency-Key"})
_DESCRIPTION: Final = (
    "Errors are problem details (RFC 9457); the last part of their `type` is a stable code.\n"
    "Every POST with a bearer token needs an Idempotency-Key; a change of something that exists"
    " needs If-Match."
)
# Python's patterns end with \\Z, those of JSON Schema with $; both as JSON writes them.
_PYTHON_END: Final = rb"\\Z"
_SCHEMA_END: Final = b"$"


def describe(
    title: str,
    version: str,
    endpoints: Sequence[Endpoint],
    public: Sequence[PublicEndpoint],
    problems: Catalogue,
) -> bytes:
    """Return the document as JSON; schemas come from the structs that decode and encode."""
    types = _types(endpoints, public)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    of_type = dict(zip(map(repr, types), schemas, strict=True))
    ids = {f"{each.method} {each.template}": _operation_id(each) for each in endpoints}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, of_type, components)
        operation["responses"] = answers(endpoint, of_type, problems, ids)
        paths.setdefault(endpoint.template, {})[endpoint.method.lower()] = operation
    for each in public:
        operation = _public_operation(each, of_type)
        operation["responses"] = public_answers(each, of_type, problems)
        paths.setdefault(each.template, {})[each.method.lower()] = operation
    for query in {each.query.__name__ for each in endpoints if each.query is not None}:
        del components[query]
    document = {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _problem_schema()},
            "headers": headers_described(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                **{each.proof.name: _security_scheme(each.proof) for each in public},
            },
        },
    }
    return msgspec.json.encode(document, order="sorted").replace(_PYTHON_END, _SCHEMA_END)


def _types(endpoints: Iterable[Endpoint], public: Iterable[PublicEndpoint]) -> list[Any]:
    found: list[Any] = [FieldError, *(endpoint.query for endpoint in endpoints)]
    for endpoint in (*endpoints, *public):
        found += (endpoint.body, *endpoint.answers.values(), *endpoint.path_types.values())
    return list({repr(each): each for each in found if each is not None}.values())


def _operation(
    endpoint: Endpoint, schemas: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "tags": [endpoint.template.split("/")[2]],
        "summary": endpoint.summary,
        "description": f"Needs one of the scopes: {', '.join(endpoint.scopes)}.",
        "security": [{"bearer": list(endpoint.scopes)}],
        "parameters": [
            *_path_parameters(endpoint, schemas),
            *_headers(endpoint),
            *_query(endpoint, components),
        ],
    }
    if endpoint.deprecation is not None:
        operation["deprecated"] = True
    if endpoint.body is not None:
        content: dict[str, Any] = {"schema": schemas[repr(endpoint.body)]}
        if endpoint.examples:
            named = endpoint.examples.items()
            content["examples"] = {name: {"value": example} for name, example in named}
        operation["requestBody"] = {"required": True, "content": {JSON: content}}
    return operation


def _public_operation(endpoint: PublicEndpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": _operation_id(endpoint),
        "tags": [endpoint.template.split("/")[2]],
        "summary": endpoint.summary,
        "description": endpoint.description,
        "security": [{endpoint.proof.name: []}],
        "parameters": [
            *_path_parameters(endpoint, schemas),
            *(
                _header(name, meaning, _TEXT, required=True)
                for name, meaning in endpoint.proof.made_of.items()
            ),
        ],
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": schemas[repr(endpoint.body)]}},
        },
    }


def _security_scheme(proof: Proof) -> dict[str, Any]:
    return {
        "type": "apiKey",
        "in": "header",
        "name": proof.header,
        "description": proof.meaning,
    }


def _operation_id(endpoint: Endpoint | PublicEndpoint) -> str:
    words = re.findall(r"[a-z0-9]+", endpoint.template)
    return "_".join([endpoint.method.lower(), *words])


def _path_parameters(
    endpoint: Endpoint | PublicEndpoint, schemas: dict[str, Any]
) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": schemas[repr(endpoint.path_types[name])]
            if name in endpoint.path_types
            else _PATH_SCHEMAS[kind],
        }
        for name, kind in _PATH_PARAMETER.findall(endpoint.path)
    ]


def _headers(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        _header(header, *_HEADERS[header], required=header in _REQUIRED_HEADERS)
        for header in endpoint.request_headers
    ]


def _header(
    name: str, description: str, schema: Mapping[str, Any], *, required: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": schema,
    }


def _query(endpoint: Endpoint, components: dict[str, Any]) -> list[dict[str, Any]]:
    if endpoint.query is None:
        return []
    properties: dict[str, Any] = components[endpoint.query.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": _present(schema)}
        for name, schema in properties.items()
    ]


def _present(schema: dict[str, Any]) -> dict[str, Any]:
    """Leave out null: a parameter that is not given is absent."""
    some = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    present = {name: value for name, value in schema.items() if value is not None}
    if len(some) == 1:
        del present["anyOf"]
        present |= some[0]
    elif some:
        present["anyOf"] = some
    return present


def _problem_schema() -> dict[str, Any]:
    errors = {"type": "array", "items": {"$ref": _REFERENCE.format(name=FieldError.__name__)}}
    return {
        "title": "Problem",
        "description": "RFC 9457; the last part of `type` is the stable code, further fields too.",
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "instance": _TEXT,
            "trace_id": _TEXT,
            "errors": errors,
        },
        "required": ["type", "title", "status", "detail"],
    }
