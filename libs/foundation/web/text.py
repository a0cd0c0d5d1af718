"""Text from outside: bounded, trimmed, NFC, free of control characters."""

import unicodedata
from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

# C0, DEL, C1: PostgreSQL refuses NUL, and with it the whole batch it came in; the others forge
# lines in logs and terminals.
FREE_TEXT: Final = r"^(?=.*\S)[^\x00-\x1f\x7f-\x9f]*\Z"
PRINTABLE_ASCII: Final = r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?\Z"

Text100: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100, pattern=FREE_TEXT)]
Text200: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200, pattern=FREE_TEXT)]
Text500: TypeAlias = Annotated[str, Meta(min_length=1, max_length=500, pattern=FREE_TEXT)]


def normalise(struct: Struct, *fields: str) -> None:
    """Trim these fields and bring them to NFC; for use in `__post_init__` of an input struct."""
    for field in fields:
        value = getattr(struct, field)
        if isinstance(value, str):
            force_setattr(struct, field, normalised(value))


def normalised(text: str) -> str:
    """Return `text` trimmed and in NFC, so that equal words are equal bytes."""
    trimmed = text.strip()
    return trimmed if trimmed.isascii() else unicodedata.normalize("NFC", trimmed)
