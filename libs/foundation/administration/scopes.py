"""Scopes of the operators' interface; no scope of the public one is accepted in their place."""

from typing import Final

READ: Final = "operations:read"
ACT: Final = "operations:act"
