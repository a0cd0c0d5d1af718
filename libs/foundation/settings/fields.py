"""The fields of a settings struct as environment variables: names, defaults, readable types."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import NODEFAULT, Struct, inspect
from msgspec.structs import FieldInfo, fields

from libs.foundation.redaction import Secret


class Field(NamedTuple):
    """One field and the variable it is read from; of a nested struct, the variables' prefix."""

    name: str
    variable: str
    type: Any
    default: object  # msgspec.NODEFAULT when the variable is required.

    @property
    def nested(self) -> bool:
        return isinstance(self.type, type) and issubclass(self.type, Struct)


def fields_of(type_: type[Struct], prefix: str, defaults: object = NODEFAULT) -> Iterator[Field]:
    """Yield each field of `type_`; a given instance `defaults` overrides the type's defaults."""
    for field in fields(type_):
        default = _default(field) if defaults is NODEFAULT else getattr(defaults, field.name)
        yield Field(field.name, prefix + field.name.upper(), field.type, default)


def variables_of(type_: type[Struct], prefix: str) -> Iterator[str]:
    """Yield the name of every variable `type_` is read from."""
    for field in fields_of(type_, prefix):
        if field.nested:
            yield from variables_of(field.type, field.variable + "_")
        else:
            yield field.variable


def _default(field: FieldInfo) -> object:
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return field.default


def is_secret(info: inspect.Type) -> bool:
    """Say whether values of this type are never shown."""
    match info:
        case inspect.CustomType(cls=cls):
            return cls is Secret
        case inspect.UnionType(types=types):
            return any(is_secret(each) for each in types)
        case inspect.VarTupleType(item_type=item):
            return is_secret(item)
        case _:
            return False


def admits_none(info: inspect.Type) -> bool:
    """Say whether an empty variable means "none"."""
    return isinstance(info, inspect.UnionType) and info.includes_none


def type_text(info: inspect.Type) -> str:
    """Say in words what a variable of this type may hold."""
    match info:
        case inspect.BoolType():
            text = "true or false"
        case inspect.IntType():
            text = "an integer" + _bounds(info)
        case inspect.FloatType():
            text = "a number" + _bounds(info)
        case inspect.StrType(pattern=pattern):
            text = "text" if pattern is None else f"text that matches {pattern}"
        case inspect.CustomType(cls=cls) if cls is Secret:
            text = "a secret"
        case inspect.EnumType(cls=cls):
            text = "one of " + ", ".join(str(member.value) for member in cls)
        case inspect.LiteralType(values=values):
            text = "one of " + ", ".join(str(value) for value in values)
        case inspect.UnionType(types=types):
            some = [type_text(each) for each in types if not isinstance(each, inspect.NoneType)]
            text = " or ".join([*some, "nothing"] if info.includes_none else some)
        case inspect.VarTupleType(item_type=item):
            text = f"a comma-separated list, each {type_text(item)}"
        case _:
            raise TypeError(f"a setting cannot be of type {info}")
    return text


_COMPARISONS: Final = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def _bounds(info: inspect.IntType | inspect.FloatType) -> str:
    bounds = [
        f"{sign} {bound:g}"
        for name, sign in _COMPARISONS.items()
        if (bound := getattr(info, name)) is not None
    ]
    return " " + " and ".join(bounds) if bounds else ""


def convert(text: str, type_: object, info: inspect.Type) -> object:
    """Turn a variable's text into a value of its type; raise ValueError when it is none."""
    if not text:
        if admits_none(info):
            return None
        raise ValueError("the variable is set but empty")
    if isinstance(info, inspect.VarTupleType):
        parts = [part.strip() for part in text.split(",")]
        return msgspec.convert(parts, type_, strict=False, dec_hook=_decode)
    value = msgspec.convert(text, type_, strict=False, dec_hook=_decode)
    if isinstance(value, float) and value - value != 0:
        raise ValueError("not a finite number")
    return value


def _decode(type_: type, value: object) -> object:
    if type_ is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError(f"expected {type_.__name__}")
