"""Decodes request bodies and queries strictly, and points at the field that is wrong."""

import re
from typing import Final, TypeVar

import msgspec

from libs.foundation.web.refusals import FieldError, MalformedRequest

T = TypeVar("T")

# msgspec ends a message with the path of the field, for example "- at `$.lines[0].quantity`".
_WHERE: Final = re.compile(r"(?P<detail>.*) - at `\$(?P<path>[^`]*)`\Z", re.DOTALL)
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_PATTERN: Final = re.compile(r"Expected `str` matching regex .*", re.DOTALL)


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode a JSON body; raise MalformedRequest with a pointer to the first bad field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _malformed(error, "the body is not of the documented form") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedRequest("the body is not valid JSON in UTF-8") from None


def decode_query(type_: type[T], values: dict[str, str]) -> T:
    """Convert query parameters; raise MalformedRequest for a bad or unknown one."""
    try:
        return msgspec.convert(values, type_, strict=False)
    except msgspec.ValidationError as error:
        raise _malformed(error, "the query is not of the documented form") from None


def _malformed(error: msgspec.ValidationError, message: str) -> MalformedRequest:
    found = _WHERE.match(str(error))
    detail, path = (found["detail"], found["path"]) if found else (str(error), "")
    steps = [_escaped(name or index) for name, index in _STEP.findall(path)]
    pointer = "#" + "".join(f"/{step}" for step in steps)
    shown = _PATTERN.sub("Not of the documented form", detail)
    return MalformedRequest(message, [FieldError(pointer=pointer, detail=shown)])


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
