"""What would break callers and consumers of the last release is named; what only adds is not."""

import copy
from typing import Any, Final

import pytest

from docs.compatibility import api_breaks, message_breaks

TEXT: Final[dict[str, Any]] = {"type": "string", "maxLength": 10}
MONEY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"amount": {"type": "integer"}, "currency": {"enum": ["EUR", "USD"]}},
    "required": ["amount", "currency"],
}
KIND: Final[dict[str, Any]] = {
    "in": "query",
    "name": "kind",
    "required": False,
    "schema": {"type": "string"},
}
API: Final[dict[str, Any]] = {
    "paths": {
        "/things": {
            "post": {
                "parameters": [KIND],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/ThingIn"}}
                    }
                },
                "responses": {
                    "201": {
                        "headers": {"ETag": {"required": True}},
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}
                        },
                    },
                    "404": {"content": {"application/problem+json": {"schema": {}}}},
                },
                "security": [{"bearer": ["things:write"]}],
            },
            "get": {
                "deprecated": True,
                "parameters": [],
                "responses": {},
                "security": [{"bearer": ["things:read"]}],
            },
        }
    },
    "components": {
        "schemas": {
            "ThingIn": {
                "type": "object",
                "properties": {"name": TEXT, "price": {"anyOf": [MONEY, {"type": "null"}]}},
                "required": ["name"],
            },
            "Thing": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["id", "tags"],
            },
        }
    },
}
EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "price": {"$ref": "#/$defs/Money"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    },
    "required": ["name", "price"],
    "$defs": {"Money": MONEY},
}
POST: Final = ("paths", "/things", "post")
CREATED: Final = (*POST, "responses", "201")
PARAMETER: Final = (*POST, "parameters")
BODY: Final = ("components", "schemas", "ThingIn")
ANSWER: Final = ("components", "schemas", "Thing")
GONE: Final = object()
NOTHING: Final[dict[str, Any]] = {}
NO_SCOPE: Final[dict[str, list[str]]] = {"bearer": []}
NO_PARAMETER: Final[list[Any]] = []
Path = tuple[str, ...]


def changed(document: dict[str, Any], path: Path, value: object) -> dict[str, Any]:
    """Return a copy in which what `path` leads to is `value`, or gone."""
    new = copy.deepcopy(document)
    part: Any = new
    for step in path[:-1]:
        part = part[step]
    if value is GONE:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return new


def in_api(path: Path, value: object) -> list[str]:
    return list(api_breaks(API, changed(API, path, value)))


def in_event(path: Path, value: object) -> list[str]:
    new = changed(EVENT, path, value)
    return list(message_breaks({"things.made.v1": EVENT}, {"things.made.v1": new}))


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("paths", "/things"), GONE, "POST /things: it was removed"),
        (POST, GONE, "POST /things: it was removed"),
        (CREATED, GONE, "POST /things 201: this answer was removed"),
        ((*CREATED, "headers"), NOTHING, "201: the header ETag was always there"),
        ((*CREATED, "content"), NOTHING, "201: application/json was removed"),
        (PARAMETER, NO_PARAMETER, "parameter kind: it was removed"),
        (PARAMETER, [{**KIND, "required": True}], "parameter kind: it became required"),
        (PARAMETER, [KIND, {**KIND, "name": "key", "required": True}], "key: it became required"),
        ((*POST, "requestBody"), GONE, "POST /things body: no body is read any more"),
        ((*POST, "security"), [NO_SCOPE], "the scope things:write no longer gives access"),
        ((*BODY, "properties", "price"), GONE, "body.price: the field was removed or renamed"),
        ((*BODY, "required"), ["name", "price"], "body.price: the field became required"),
        ((*BODY, "properties", "name", "maxLength"), 9, "maxLength was 10 and is 9"),
        ((*BODY, "properties", "name", "pattern"), "a", "body.name: its pattern changed"),
        ((*BODY, "properties", "name"), {"enum": ["a"]}, "it became restricted to some values"),
        ((*BODY, "properties", "price"), MONEY, "body.price: its type null is not accepted"),
        ((*ANSWER, "properties", "tags"), GONE, "201.tags: the field was removed or renamed"),
        ((*ANSWER, "required"), ["tags"], "201.id: the field was always there"),
        ((*ANSWER, "properties", "id", "format"), "date", "201.id: its format uuid became date"),
        ((*ANSWER, "properties", "tags", "items"), {"type": "integer"}, "tags[]: it may now be"),
    ],
)
def test_what_breaks_a_caller_is_named(path: Path, value: object, sentence: str) -> None:
    (found,) = in_api(path, value)

    assert sentence in found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("info",), {"version": "2"}),
        (("paths", "/things", "get"), GONE),
        (("paths", "/more"), {"get": {}}),
        ((*POST, "responses", "404"), GONE),
        ((*POST, "responses", "409"), NOTHING),
        ((*POST, "security"), [{"bearer": ["things:write", "things:all"]}]),
        ((*BODY, "properties", "note"), TEXT),
        ((*BODY, "required"), NO_PARAMETER),
        ((*BODY, "properties", "name", "maxLength"), 11),
        ((*ANSWER, "properties", "note"), TEXT),
        ((*ANSWER, "properties", "id", "maxLength"), 36),
    ],
)
def test_what_only_adds_is_let_through(path: Path, value: object) -> None:
    assert in_api(path, value) == []


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("properties", "note"), GONE, "v1.note: the field was removed or renamed"),
        (("required",), ["name", "price", "note"], "v1.note: the field became required"),
        (("required",), ["price"], "v1.name: the field was always there and no longer is"),
        (("properties", "note"), {"type": "string"}, "v1.note: its type null is not accepted"),
        (("$defs", "Money"), {"type": "integer"}, "v1.price: its type object is not accepted"),
        (
            ("$defs", "Money", "properties", "currency", "enum"),
            ["EUR"],
            "v1.price.currency: the value USD was removed",
        ),
    ],
)
def test_what_breaks_a_reader_of_messages_is_named(
    path: Path, value: object, sentence: str
) -> None:
    assert sentence in in_event(path, value)[0]


def test_a_published_type_that_is_gone_is_named() -> None:
    assert list(message_breaks({"things.made.v1": EVENT}, {})) == [
        "things.made.v1: a published type is never removed, only no longer sent"
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("properties", "added"), {"type": "integer", "default": 0}),
        (("$defs", "Money", "properties", "currency", "enum"), ["EUR", "USD", "JPY"]),
        (("properties", "price"), MONEY),
    ],
)
def test_what_adds_to_a_message_is_let_through(path: Path, value: object) -> None:
    assert in_event(path, value) == []
