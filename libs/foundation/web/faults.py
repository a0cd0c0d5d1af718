"""Finds every bad field of a value that did not decode; runs only after the fast decoder failed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec
from msgspec import Struct

# A body of thousands of bad fields must not buy an answer, or a computation, of its own size.
FAULTS_MAX: Final = 20
_CHARACTERS_MAX: Final = 200

# msgspec ends a message with the path of the field, for example "- at `$.lines[0].quantity`".
_WHERE: Final = re.compile(r"(?P<detail>.*) - at `(?:key in )?\$(?P<path>[^`]*)`\Z", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_PATTERN: Final = re.compile(r"Expected `str` matching regex .*", re.DOTALL)


class Fault(Struct, frozen=True, kw_only=True):
    """One bad field: the steps that lead to it, and what is wrong."""

    steps: tuple[str, ...]
    detail: str

    @property
    def pointer(self) -> str:
        """The field as a JSON pointer in a URI fragment (RFC 6901 section 6)."""
        escaped = (step.replace("~", "~0").replace("/", "~1") for step in self.steps)
        return ("#" + "".join(f"/{step}" for step in escaped))[:_CHARACTERS_MAX]


def faults(value: object, type_: object) -> list[Fault]:
    """Return what keeps `value`, plain JSON data, from being a `type_`: the first FAULTS_MAX.

    The walk follows the type, so that its depth is the type's and not the data's.
    """
    return list(islice(_walk(value, type_, ()), FAULTS_MAX))


def first_fault(error: msgspec.ValidationError, steps: tuple[str, ...] = ()) -> Fault:
    """Read the one fault that msgspec tells of, below the field that `steps` lead to."""
    found = _WHERE.match(str(error))
    detail, path = (found["detail"], found["path"]) if found else (str(error), "")
    inner = tuple(name or index for name, index in _STEP.findall(path))
    shown = _PATTERN.sub("Not of the documented form", detail)
    return Fault(steps=(*steps, *inner), detail=shown[:_CHARACTERS_MAX])


def _walk(value: object, type_: object, steps: tuple[str, ...]) -> Iterator[Fault]:
    """Yield the faults of the parts; only if they have none, that of the whole."""
    parts_are_good = True
    for fault in _in_parts(value, _shape(type_, value), steps):
        parts_are_good = False
        yield fault
    if parts_are_good:
        try:
            msgspec.convert(value, type_)
        except msgspec.ValidationError as error:
            yield first_fault(error, steps)


def _in_parts(
    value: Any,  # noqa: ANN401 - JSON data of the shape that was found.
    shape: Any,  # noqa: ANN401 - a type; typing has no word for generic ones.
    steps: tuple[str, ...],
) -> Iterator[Fault]:
    if shape is None:
        return iter(())
    if _is_struct(shape):
        return _in_fields(value, shape, steps)
    if get_origin(shape) is dict:
        return _in_members(value, get_args(shape), steps)
    return _in_items(value, get_args(shape)[0], steps)


def _in_items(
    value: Sequence[object], item_type: object, steps: tuple[str, ...]
) -> Iterator[Fault]:
    for index, item in enumerate(value):
        yield from _walk(item, item_type, (*steps, str(index)))


def _in_members(
    value: Mapping[str, object], types: tuple[Any, ...], steps: tuple[str, ...]
) -> Iterator[Fault]:
    key_type, member_type = types
    for key, member in value.items():
        at = (*steps, key)
        in_key = list(_walk(key, key_type, at))
        yield from in_key or _walk(member, member_type, at)


def _in_fields(
    value: Mapping[str, object], struct: type[Struct], steps: tuple[str, ...]
) -> Iterator[Fault]:
    fields = msgspec.structs.fields(struct)
    for field in fields:
        at = (*steps, field.encode_name)
        if field.encode_name in value:
            yield from _walk(value[field.encode_name], field.type, at)
        elif field.required:
            yield Fault(steps=at, detail="This field is required")
    if struct.__struct_config__.forbid_unknown_fields:
        known = {field.encode_name for field in fields}
        for name in value:
            if name not in known:
                yield Fault(steps=(*steps, name), detail="There is no such field")


def _shape(type_: Any, value: object) -> object:  # noqa: ANN401 - any annotation.
    """Return what of `type_` describes the parts of an object or array; None for anything else."""
    origin = get_origin(type_)
    if origin is Annotated:
        return _shape(get_args(type_)[0], value)
    if origin in {Union, UnionType}:
        shapes = [_shape(each, value) for each in get_args(type_)]
        return next((shape for shape in shapes if shape is not None), None)
    if isinstance(value, dict) and (_is_struct(type_) or origin is dict):
        return type_
    if isinstance(value, list) and origin in {list, tuple}:
        return type_
    return None


def _is_struct(type_: object) -> bool:
    return isinstance(type_, type) and issubclass(type_, Struct)
