"""Reads settings from the environment and from secret files; reports all errors at once."""

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final, TypeVar

from msgspec import NODEFAULT, Struct, inspect

from libs.foundation.redaction import hide_credentials
from libs.foundation.settings.fields import (
    Field,
    convert,
    fields_of,
    is_secret,
    type_text,
    variables_of,
)

S = TypeVar("S", bound=Struct)

_FILE_SUFFIX: Final = "_FILE"
_FILE_BYTES_MAX: Final = 64 * 1_024
_SHOWN_CHARACTERS_MAX: Final = 80


class SettingsError(Exception):
    """Everything that is wrong with the configuration, one line each, without a secret."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("the configuration is wrong:\n" + "\n".join(f"  {p}" for p in problems))
        self.problems = tuple(problems)


def load_settings(
    type_: type[S],
    environ: Mapping[str, str],
    *,
    prefix: str,
    shares_prefix_with: Collection[type[Struct]] = (),
) -> S:
    """Build `type_` from the variables that start with `prefix`, for example `RELAY_`.

    Field `lease_ms` is read from `RELAY_LEASE_MS`, or from the file that `RELAY_LEASE_MS_FILE`
    names; a nested struct puts its field's name between. A variable with the prefix that names
    no setting is an error, because a misspelt one would be ignored; `shares_prefix_with` names
    the other structs that are read under the same prefix.
    """
    if not prefix.endswith("_"):
        raise ValueError(f"the prefix {prefix!r} must end with an underscore")
    loader = _Loader(environ)
    settings = loader.build(type_, prefix)
    known = {name for each in (type_, *shares_prefix_with) for name in variables_of(each, prefix)}
    loader.refuse_unknown(prefix, known)
    if loader.problems or not isinstance(settings, type_):
        raise SettingsError(loader.problems)
    return settings


class _Loader:
    """One reading of the environment; `problems` grows, and a value is NODEFAULT when wrong."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def build(self, type_: type[Struct], prefix: str, defaults: object = NODEFAULT) -> object:
        values: dict[str, object] = {}
        for field in fields_of(type_, prefix, defaults):
            if field.nested:
                value = self.build(field.type, field.variable + "_", field.default)
            else:
                value = self._read(field)
            values[field.name] = value
        if any(value is NODEFAULT for value in values.values()):
            return NODEFAULT
        try:
            return type_(**values)
        except ValueError as error:
            self.problems.append(f"{prefix}*: {hide_credentials(str(error))}")
            return NODEFAULT

    def _read(self, field: Field) -> object:
        info = inspect.type_info(field.type)
        expected = type_text(info)
        file_variable = field.variable + _FILE_SUFFIX
        text = self._environ.get(field.variable)
        path = self._environ.get(file_variable)
        if text is not None and path is not None:
            self.problems.append(f"{field.variable} and {file_variable} are both set; unset one")
            return NODEFAULT
        if path is not None:
            return self._convert(self._read_file(file_variable, path), field, info, shown=False)
        if text is not None:
            return self._convert(text, field, info, shown=not is_secret(info))
        if field.default is NODEFAULT:
            self.problems.append(f"{field.variable} is missing: expected {expected}")
        return field.default

    def _convert(
        self, text: str | None, field: Field, info: inspect.Type, *, shown: bool
    ) -> object:
        if text is None:
            return NODEFAULT
        try:
            return convert(text, field.type, info)
        except ValueError:
            given = repr(hide_credentials(text)[:_SHOWN_CHARACTERS_MAX]) if shown else "(hidden)"
            if not text:
                given = "nothing"
            self.problems.append(f"{field.variable}: expected {type_text(info)}, given {given}")
            return NODEFAULT

    def _read_file(self, variable: str, path: str) -> str | None:
        try:
            with Path(path).open("rb") as file:
                content = file.read(_FILE_BYTES_MAX + 1)
            if len(content) > _FILE_BYTES_MAX:
                raise ValueError(f"it is larger than {_FILE_BYTES_MAX} bytes")
            return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            self.problems.append(f"{variable}: cannot use {path!r}: it is not UTF-8 text")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.problems.append(f"{variable}: cannot use {path!r}: {reason}")
        return None

    def refuse_unknown(self, prefix: str, known: Collection[str]) -> None:
        for variable in sorted(self._environ):
            if not variable.startswith(prefix) or variable in known:
                continue
            if variable.endswith(_FILE_SUFFIX) and variable.removesuffix(_FILE_SUFFIX) in known:
                continue
            similar = get_close_matches(variable, known, n=1)
            hint = f"; did you mean {similar[0]}?" if similar else ""
            self.problems.append(f"{variable} is not a setting{hint}")
