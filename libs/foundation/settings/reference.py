"""Describes settings: their values when a process starts, their meaning in the documentation."""

import ast
from collections.abc import Iterator
from inspect import getsource
from itertools import pairwise
from textwrap import dedent
from typing import cast

from msgspec import NODEFAULT, Struct, inspect

from libs.foundation.redaction import HIDDEN, hide_credentials
from libs.foundation.settings.fields import Field, fields_of, is_secret, type_text


class SettingRow(Struct, frozen=True, kw_only=True):
    """One row of the configuration reference; `default` is None for a required variable."""

    variable: str
    type: str
    default: str | None
    documentation: str


def describe(settings: Struct) -> dict[str, object]:
    """Return every value under its field's flattened name; secrets and passwords are hidden."""
    return dict(_describe(settings, ""))


def _describe(settings: Struct, prefix: str) -> Iterator[tuple[str, object]]:
    for field in fields_of(type(settings), ""):
        value = getattr(settings, field.name)
        if field.nested:
            yield from _describe(value, f"{prefix}{field.name}_")
        else:
            yield prefix + field.name, _shown(value, field)


def _shown(value: object, field: Field) -> object:
    if value not in (None, ()) and is_secret(inspect.type_info(field.type)):
        return HIDDEN
    return hide_credentials(value) if isinstance(value, str) else value


def reference(type_: type[Struct], prefix: str) -> list[SettingRow]:
    """Return a row for each variable of `type_`, in the order of its fields.

    The documentation of a field is the string that follows it in the source. A field without
    one raises, so that no setting is published unexplained.
    """
    return list(_rows(type_, prefix, NODEFAULT))


def _rows(type_: type[Struct], prefix: str, defaults: object) -> Iterator[SettingRow]:
    documentation = _documentation(type_)
    for field in fields_of(type_, prefix, defaults):
        if field.nested:
            yield from _rows(field.type, field.variable + "_", field.default)
            continue
        if field.name not in documentation:
            raise TypeError(
                f"{type_.__name__}.{field.name} needs a string below it that explains it"
            )
        yield SettingRow(
            variable=field.variable,
            type=type_text(inspect.type_info(field.type)),
            default=_default_text(field),
            documentation=documentation[field.name],
        )


def _default_text(field: Field) -> str | None:
    if field.default is NODEFAULT:
        return None
    value = _shown(field.default, field)
    if isinstance(value, tuple):
        return ",".join(map(str, cast("tuple[object, ...]", value)))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _documentation(type_: type[Struct]) -> dict[str, str]:
    """Read the strings below the fields, which Python does not keep at run time."""
    found: dict[str, str] = {}
    for each in reversed(type_.__mro__):
        if issubclass(each, Struct) and each is not Struct:
            found.update(_documentation_in(ast.parse(dedent(getsource(each)))))
    return found


def _documentation_in(module: ast.Module) -> Iterator[tuple[str, str]]:
    definition = module.body[0]
    statements = definition.body if isinstance(definition, ast.ClassDef) else []
    for statement, following in pairwise(statements):
        match statement, following:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, " ".join(text.split())
            case _:
                continue
