"""Statements about a whole server."""

from typing import Final

from libs.foundation.database.connections import Connection

_CHECKPOINT: Final = "CHECKPOINT"


async def checkpoint(connection: Connection) -> None:
    """Write every dirty page now."""
    await connection.execute(_CHECKPOINT)
