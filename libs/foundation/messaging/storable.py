"""Makes any text fit for a column: errors and keys may hold what PostgreSQL refuses."""

from typing import Final

_CHARACTERS_MAX: Final = 2_000


def storable(text: str) -> str:
    """Return `text` bounded, without NUL and without lone surrogates."""
    shown = text.replace("\0", "\\x00").encode(errors="backslashreplace").decode()
    return shown[:_CHARACTERS_MAX]
