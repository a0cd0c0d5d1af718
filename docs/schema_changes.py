"""Compares two JSON Schemas: what would break those who rely on the older one."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from msgspec import Struct

Schema = Mapping[str, Any]

# A bound and the sign of the change that narrows it.
_BOUNDS: Final = {
    "maximum": -1,
    "exclusiveMaximum": -1,
    "maxLength": -1,
    "maxItems": -1,
    "maxProperties": -1,
    "minimum": 1,
    "exclusiveMinimum": 1,
    "minLength": 1,
    "minItems": 1,
    "minProperties": 1,
}


class Side(Struct, frozen=True):
    """Who is on the other side: we read what they write by the old schema, they read ours."""

    reads: bool
    writes: bool


REQUEST: Final = Side(reads=True, writes=False)
ANSWER: Final = Side(reads=False, writes=True)
MESSAGE: Final = Side(reads=True, writes=True)


class Versions(Struct, frozen=True):
    """The two documents that references lead into."""

    old: Schema
    new: Schema

    def breaks(self, old: Schema, new: Schema, where: str, side: Side) -> Iterator[str]:
        """Yield a sentence for each change from `old` to `new` that breaks the other side."""
        before, after = _by_type(self.old, old), _by_type(self.new, new)
        yield from _types(before, after, where, side)
        for name in before.keys() & after.keys():
            yield from self._of_one_type(before[name], after[name], where, side)

    def _of_one_type(self, old: Schema, new: Schema, where: str, side: Side) -> Iterator[str]:
        if old.get("format") != new.get("format"):
            yield f"{where}: its format {old.get('format')} became {new.get('format')}"
        if side.reads:
            yield from _values(old, new, where)
            yield from _narrowed(old, new, where)
        yield from self._properties(old, new, where, side)
        for keyword, part in (("items", "[]"), ("additionalProperties", "{}")):
            before, after = _part(old, keyword), _part(new, keyword)
            if before is not None and after is not None:
                yield from self.breaks(before, after, where + part, side)

    def _properties(self, old: Schema, new: Schema, where: str, side: Side) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
        for name, schema in before.items():
            if name not in after:
                yield f"{where}.{name}: the field was removed or renamed"
            else:
                yield from self.breaks(schema, after[name], f"{where}.{name}", side)
        if side.reads:
            for name in sorted(required_after - required_before):
                yield f"{where}.{name}: the field became required"
        if side.writes:
            for name in sorted((required_before - required_after) & after.keys()):
                yield f"{where}.{name}: the field was always there and no longer is"


def _types(
    before: Mapping[str, Schema], after: Mapping[str, Schema], where: str, side: Side
) -> Iterator[str]:
    gone, added = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    if "any" in before or "any" in after:
        # What has no type takes all: it may only be left open further.
        gone, added = ([], added) if "any" in before else (gone, [])
        gone = [] if "any" in after else gone
    if side.reads and gone:
        yield f"{where}: its type {' or '.join(gone)} is not accepted any more"
    if side.writes and added:
        yield f"{where}: it may now be {' or '.join(added)}"


def _values(old: Schema, new: Schema, where: str) -> Iterator[str]:
    before, after = old.get("enum"), new.get("enum")
    if after is not None and before is None:
        yield f"{where}: it became restricted to some values"
    if before is not None and after is not None:
        for value in (each for each in before if each not in after):
            yield f"{where}: the value {value} was removed"


def _narrowed(old: Schema, new: Schema, where: str) -> Iterator[str]:
    for keyword, sign in _BOUNDS.items():
        before, after = old.get(keyword), new.get(keyword)
        if after is not None and (before is None or (after - before) * sign > 0):
            yield f"{where}: {keyword} was {before} and is {after}"
    if new.get("pattern") not in {None, old.get("pattern")}:
        yield f"{where}: its pattern changed"


def _by_type(document: Schema, schema: Schema) -> dict[str, Schema]:
    """Return the alternatives of a schema by their type; one without a type is `any`."""
    if "$ref" in schema:
        return _by_type(document, _resolved(document, schema["$ref"]))
    found: dict[str, Schema] = {}
    for alternative in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        found |= _by_type(document, alternative)
    if found:
        return found
    if "enum" in schema or "const" in schema:
        return {"string": {**schema, "enum": schema.get("enum", [schema.get("const")])}}
    types = schema.get("type", "any")
    return dict.fromkeys([types] if isinstance(types, str) else types, schema)


def _part(schema: Schema, keyword: str) -> Schema | None:
    found = schema.get(keyword)
    return cast("Schema", found) if isinstance(found, dict) else None


def _resolved(document: Schema, reference: str) -> Schema:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found
