"""Keeps secrets out of everything a process prints: settings, errors, logs, spans."""

import re
from typing import Final, Self

HIDDEN: Final = "***"

# user:password@host in any URL, and the password of a libpq connection string.
_URL_PASSWORD: Final = re.compile(r"(://[^/?#@\s:]*:)[^/?#\s]*(?=@)")
_WORD_PASSWORD: Final = re.compile(
    r"(\bpassword\s*=\s*)('(?:\\.|[^'\\])*'|[^\s&'\"]+)", re.IGNORECASE
)


class Secret(str):
    """Text that prints as `***`; pass it on as it is, or take the plain text with `reveal`.

    It guards against accidents (repr, str, format, logs, tracebacks), not against code that
    wants the value: joining, slicing or encoding it gives plain text.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Secret('{HIDDEN}')"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, format_spec: str) -> str:
        return format(HIDDEN, format_spec)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self

    def reveal(self) -> str:
        """Return the plain text."""
        return str.__str__(self)


def hide_credentials(text: str) -> str:
    """Return `text` with the passwords of URLs and connection strings replaced."""
    if "://" in text and "@" in text:
        text = _URL_PASSWORD.sub(rf"\g<1>{HIDDEN}", text)
    if "assword" in text or "ASSWORD" in text:
        text = _WORD_PASSWORD.sub(rf"\g<1>{HIDDEN}", text)
    return text
