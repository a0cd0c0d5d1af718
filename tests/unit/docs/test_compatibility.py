"""What would break callers and consumers of the last release is named; what only adds is not."""

import copy
from collections.abc import Callable
from typing import Any, Final

import pytest

from docs.compatibility import api_breaks, message_breaks

TEXT: Final[dict[str, Any]] = {"type": "string", "maxLength": 10}
MONEY: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"amount": {"type": "integer"}, "currency": {"enum": ["EUR", "USD"]}},
    "required": ["amount", "currency"],
}
API: Final[dict[str, Any]] = {
    "paths": {
        "/things": {
            "post": {
                "parameters": [
                    {"in": "query", "name": "kind", "required": False, "schema": dict(TEXT)},
                ],
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
Change = Callable[[Any], object]


def post(api: Any) -> Any:  # noqa: ANN401
    return api["paths"]["/things"]["post"]


def body(api: Any) -> Any:  # noqa: ANN401
    return api["components"]["schemas"]["ThingIn"]


def answer(api: Any) -> Any:  # noqa: ANN401
    return api["components"]["schemas"]["Thing"]


def api_after(change: Change) -> list[str]:
    new = copy.deepcopy(API)
    change(new)
    return list(api_breaks(API, new))


def event_after(change: Change) -> list[str]:
    new = copy.deepcopy(EVENT)
    change(new)
    return list(message_breaks({"things.made.v1": EVENT}, {"things.made.v1": new}))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda api: api["paths"].clear(), "POST /things: it was removed"),
        (lambda api: api["paths"]["/things"].pop("post"), "POST /things: it was removed"),
        (lambda api: post(api)["responses"].pop("201"), "POST /things 201: this answer was"),
        (lambda api: post(api)["responses"]["201"]["headers"].clear(), "the header ETag was"),
        (lambda api: post(api)["responses"]["201"]["content"].clear(), "application/json was"),
        (lambda api: post(api)["parameters"].clear(), "parameter kind: it was removed"),
        (lambda api: post(api)["parameters"][0].update(required=True), "kind: it became required"),
        (
            lambda api: post(api)["parameters"].append(
                {"in": "header", "name": "Key", "required": True, "schema": TEXT}
            ),
            "parameter Key: it became required",
        ),
        (lambda api: post(api).pop("requestBody"), "no body is read any more"),
        (lambda api: post(api)["security"][0].update(bearer=[]), "things:write no longer gives"),
        (lambda api: body(api)["properties"].pop("price"), "body.price: the field was removed"),
        (lambda api: body(api)["required"].append("price"), "body.price: the field became req"),
        (lambda api: body(api)["properties"]["name"].update(maxLength=9), "maxLength was 10 and"),
        (lambda api: body(api)["properties"]["name"].update(pattern="a"), "its pattern changed"),
        (lambda api: body(api)["properties"]["name"].update(enum=["a"]), "restricted to some"),
        (
            lambda api: body(api)["properties"].update(price=MONEY),
            "body.price: its type null is not accepted any more",
        ),
        (
            lambda api: body(api)["properties"]["price"]["anyOf"][0]["properties"]["currency"][
                "enum"
            ].remove("USD"),
            "body.price.currency: the value USD was removed",
        ),
        (lambda api: answer(api)["properties"].pop("tags"), "201.tags: the field was removed"),
        (lambda api: answer(api)["required"].remove("id"), "201.id: the field was always there"),
        (lambda api: answer(api)["properties"]["id"].update(format="date"), "its format uuid"),
        (
            lambda api: answer(api)["properties"]["tags"]["items"].update(type="integer"),
            "201.tags[]: it may now be integer",
        ),
    ],
)
def test_what_breaks_a_caller_is_named(change: Change, sentence: str) -> None:
    (found,) = api_after(change)

    assert sentence in found


@pytest.mark.parametrize(
    "change",
    [
        lambda _: None,
        lambda api: api["paths"]["/things"].pop("get"),
        lambda api: api["paths"].update({"/more": {"get": {}}}),
        lambda api: post(api)["responses"].pop("404"),
        lambda api: post(api)["responses"].update({"409": {}}),
        lambda api: post(api)["security"][0]["bearer"].append("things:all"),
        lambda api: body(api)["properties"].update(note=TEXT),
        lambda api: body(api)["required"].clear(),
        lambda api: body(api)["properties"]["name"].update(maxLength=11),
        lambda api: answer(api)["properties"].update(note=TEXT),
    ],
)
def test_what_only_adds_is_let_through(change: Change) -> None:
    assert api_after(change) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda event: event["properties"].pop("note"), "v1.note: the field was removed"),
        (
            lambda event: event["properties"].update(title=event["properties"].pop("name")),
            "v1.name: the field was removed or renamed",
        ),
        (lambda event: event["required"].append("note"), "v1.note: the field became required"),
        (lambda event: event["required"].remove("name"), "v1.name: the field was always there"),
        (lambda event: event["properties"]["note"]["anyOf"].pop(), "its type null is not"),
        (
            lambda event: (
                event["properties"]["price"].update({"$ref": "#/$defs/Other"})
                or event["$defs"].update(Other={"type": "integer"})
            ),
            "v1.price: its type object is not accepted any more",
        ),
        (
            lambda event: event["$defs"]["Money"]["properties"]["currency"]["enum"].remove("USD"),
            "v1.price.currency: the value USD was removed",
        ),
    ],
)
def test_what_breaks_a_reader_of_messages_is_named(change: Change, sentence: str) -> None:
    assert sentence in event_after(change)[0]


def test_a_published_type_that_is_gone_is_named() -> None:
    assert list(message_breaks({"things.made.v1": EVENT}, {})) == [
        "things.made.v1: a published type is never removed, only no longer sent"
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event["properties"].update(added={"type": "integer", "default": 0}),
        lambda event: event["$defs"]["Money"]["properties"]["currency"]["enum"].append("JPY"),
        lambda event: (
            event["$defs"].update(Purse=event["$defs"]["Money"])
            or event["properties"].update(price={"$ref": "#/$defs/Purse"})
        ),
    ],
)
def test_what_adds_to_a_message_is_let_through(change: Change) -> None:
    assert event_after(change) == []
