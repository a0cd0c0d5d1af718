"""The providers this installation has an adapter for, by the name orders give them."""

from typing import Final

SIMULATOR: Final = "simulator"
PROVIDERS: Final = frozenset({SIMULATOR})
