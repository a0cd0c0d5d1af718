"""What requests under a key have made, for people; never how they were answered."""

from typing import Final

from libs.foundation.database.transaction import Transaction

# The primary key begins with the principal. Without one, its index is skipped through.
_LOCATIONS: Final = """
    SELECT location FROM web.idempotency_locations
    WHERE key = %(key)s::text AND location IS NOT NULL
    LIMIT %(rows_max)s"""

_LOCATIONS_OF: Final = """
    SELECT location FROM web.idempotency_locations
    WHERE principal = %(principal)s::text AND key = %(key)s::text AND location IS NOT NULL
    LIMIT %(rows_max)s"""


async def locations(tx: Transaction, key: str, principal: str | None, rows_max: int) -> list[str]:
    """Return the paths of what was made under `key`, by anybody or by one principal."""
    if principal is None:
        return await tx.fetch(str, _LOCATIONS, key=key, rows_max=rows_max)
    return await tx.fetch(str, _LOCATIONS_OF, key=key, principal=principal, rows_max=rows_max)
