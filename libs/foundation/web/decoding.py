"""Decodes request bodies and queries strictly, and points at every field that is wrong."""

import json
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Struct

from libs.foundation.web.faults import FAULTS_MAX, Fault, faults, first_fault
from libs.foundation.web.refusals import FieldError, MalformedRequest

T = TypeVar("T")
S = TypeVar("S", bound=Struct)


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a JSON body; raise MalformedRequest with a pointer to each bad field."""
    try:
        content = decoder.decode(body)
        _refuse_repeated_names(body)
    except msgspec.ValidationError as error:
        found = _faults_in(body, decoder.type) or [first_fault(error)]
        errors = [FieldError(pointer=fault.pointer, detail=fault.detail) for fault in found]
        raise MalformedRequest("the body is not of the documented form", errors) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedRequest("the body is not valid JSON in UTF-8") from None
    return content


def decode_query(type_: type[S], values: Mapping[str, str]) -> S:
    """Convert query parameters, all of them optional; raise MalformedRequest with each bad one."""
    types = _parameter_types(type_)
    found: dict[str, object] = {}
    errors: list[FieldError] = []
    for name, text in values.items():
        if name not in types:
            errors.append(FieldError(parameter=name, detail="There is no such parameter"))
            continue
        try:
            found[name] = _converted(text, types[name])
        except msgspec.ValidationError as error:
            errors.append(FieldError(parameter=name, detail=first_fault(error).detail))
        except msgspec.DecodeError:
            errors.append(FieldError(parameter=name, detail="Not of the documented form"))
    if errors:
        raise MalformedRequest("the query is not of the documented form", errors[:FAULTS_MAX])
    try:
        return type_(**found)
    except ValueError as error:
        raise MalformedRequest(str(error)) from None


def _converted(text: str, type_: Any) -> object:  # noqa: ANN401 - any annotation.
    """Read a number or a truth value as JSON writes it, anything else as the text it is."""
    plain = get_args(type_)[0] if get_origin(type_) is Annotated else type_
    if plain in {int, bool, float}:
        return msgspec.json.decode(text, type=type_)
    return msgspec.convert(text, type_)


@cache
def _parameter_types(type_: type[Struct]) -> dict[str, Any]:
    """Return the type of each parameter that is given: `null` is a word like any other."""
    return {field.name: _without_none(field.type) for field in msgspec.structs.fields(type_)}


def _without_none(type_: Any) -> Any:  # noqa: ANN401 - any annotation.
    if get_origin(type_) not in {Union, UnionType}:
        return type_
    return Union[tuple(each for each in get_args(type_) if each is not NoneType)]  # noqa: UP007


def _faults_in(body: bytes, type_: object) -> list[Fault]:
    try:
        return faults(msgspec.json.decode(body), type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # What no type asks for was skipped by the fast decoder without a look inside.
        return []


class _Repeated(Exception):
    """An object of the body has two members of one name."""


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Repeated


_CHECK_NAMES: Final = json.JSONDecoder(object_pairs_hook=_distinct).decode


def _refuse_repeated_names(body: bytes) -> None:
    """Refuse an object with two members of one name: readers disagree which of them counts."""
    try:
        _CHECK_NAMES(body.decode())
    except _Repeated:
        errors = [
            FieldError(pointer=fault.pointer, detail=fault.detail) for fault in _repeated_in(body)
        ]
        raise MalformedRequest("a name is there twice in one object", errors) from None


class _Object(list[tuple[str, Any]]):
    """The members of one object, repeated ones included."""


def _repeated_in(body: bytes) -> list[Fault]:
    found: list[Fault] = []
    _find_repeated(json.loads(body, object_pairs_hook=_Object), (), found)
    return found


def _find_repeated(value: Any, steps: tuple[str, ...], found: list[Fault]) -> None:  # noqa: ANN401
    """Walk content that was decoded before, so that its depth is bounded by its type."""
    if isinstance(value, _Object):
        seen: set[str] = set()
        for name, member in value:
            if name in seen:
                found.append(Fault(steps=(*steps, name), detail="This name is there twice"))
            seen.add(name)
            _find_repeated(member, (*steps, name), found)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            _find_repeated(item, (*steps, str(index)), found)
