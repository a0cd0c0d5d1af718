"""Refuses what would break those who rely on the contracts of the last release."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from docs.schema_changes import ANSWER, MESSAGE, REQUEST, Versions

Document = Mapping[str, Any]

_METHODS: Final = ("get", "put", "post", "patch", "delete")
_FIRST_ERROR: Final = 400


def api_breaks(old: Document, new: Document) -> Iterator[str]:
    """Yield what the OpenAPI document `new` takes from the callers of `old`."""
    versions = Versions(old, new)
    for path, methods in old["paths"].items():
        for method in (each for each in _METHODS if each in methods):
            before = methods[method]
            after = new["paths"].get(path, {}).get(method)
            name = f"{method.upper()} {path}"
            if after is not None:
                yield from _operation_breaks(versions, before, after, name)
            elif not before.get("deprecated"):
                yield f"{name}: it was removed without having been deprecated in a release"


def message_breaks(old: Mapping[str, Document], new: Mapping[str, Document]) -> Iterator[str]:
    """Yield what the schemas `new` take from those who read or wrote messages by `old`."""
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            yield f"{name}: a published type is never removed, only no longer sent"
        else:
            yield from Versions(before, after).breaks(before, after, name, MESSAGE)


def _operation_breaks(
    versions: Versions, before: Document, after: Document, name: str
) -> Iterator[str]:
    yield from _parameter_breaks(versions, before, after, name)
    yield from _body_breaks(versions, before, after, name)
    yield from _answer_breaks(versions, before, after, name)
    for scope in sorted(_scopes(before) - _scopes(after)):
        yield f"{name}: the scope {scope} no longer gives access"


def _parameter_breaks(
    versions: Versions, before: Document, after: Document, name: str
) -> Iterator[str]:
    old = {(each["in"], each["name"]): each for each in before["parameters"]}
    new = {(each["in"], each["name"]): each for each in after["parameters"]}
    for key, parameter in new.items():
        if parameter["required"] and not old.get(key, {}).get("required"):
            yield f"{name} parameter {key[1]}: it became required"
    for key, parameter in old.items():
        where = f"{name} parameter {key[1]}"
        if key not in new:
            yield f"{where}: it was removed"
        else:
            yield from versions.breaks(parameter["schema"], new[key]["schema"], where, REQUEST)


def _body_breaks(versions: Versions, before: Document, after: Document, name: str) -> Iterator[str]:
    old, new = before.get("requestBody"), after.get("requestBody")
    where = f"{name} body"
    if old is None and new is not None:
        yield f"{where}: a body became required"
    elif old is not None and new is None:
        yield f"{where}: no body is read any more"
    elif old is not None and new is not None:
        yield from _content_breaks(versions, old, new, where, reads=True)


def _answer_breaks(
    versions: Versions, before: Document, after: Document, name: str
) -> Iterator[str]:
    for status, old in before["responses"].items():
        new = after["responses"].get(status)
        where = f"{name} {status}"
        if new is None:
            if int(status) < _FIRST_ERROR:
                yield f"{where}: this answer was removed"
            continue
        yield from _content_breaks(versions, old, new, where, reads=False)
        for header, described in old.get("headers", {}).items():
            if described.get("required") and not new["headers"].get(header, {}).get("required"):
                yield f"{where}: the header {header} was always there and no longer is"


def _content_breaks(
    versions: Versions, old: Document, new: Document, where: str, *, reads: bool
) -> Iterator[str]:
    for media_type, content in old.get("content", {}).items():
        now = new.get("content", {}).get(media_type)
        if now is None:
            yield f"{where}: {media_type} was removed"
        else:
            side = REQUEST if reads else ANSWER
            yield from versions.breaks(content["schema"], now["schema"], where, side)


def _scopes(operation: Document) -> set[str]:
    return {scope for each in operation["security"] for scopes in each.values() for scope in scopes}
