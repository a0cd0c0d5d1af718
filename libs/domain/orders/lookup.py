"""Finds an order by whatever name a person has of it."""

import re
from typing import Final
from uuid import UUID

from msgspec import Struct
from psycopg.errors import QueryCanceled

from libs.domain.orders.sql import inspections
from libs.foundation.clock import rfc3339
from libs.foundation.database.connections import Connection
from libs.foundation.database.transaction import transaction
from libs.foundation.messaging.journey import collecting
from libs.foundation.web.sql import idempotency_locations

_TRACE: Final = re.compile(r"(?:[0-9a-f]{2}-)?([0-9a-f]{32})(?:-[0-9a-f]{16}-[0-9a-f]{2})?")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_IN_PATH: Final = re.compile(rf"/v1/orders/({_UUID.pattern})(?:/.*)?", re.IGNORECASE)
# More than one order under one key belong to several principals.
_KEYS_MAX: Final = 10


class Found(Struct, frozen=True, kw_only=True):
    """The order and the name it was found by; without one, what was tried in vain."""

    order_id: UUID | None
    tried: tuple[str, ...]


class Lookup:
    """Tries the cheap names first: id, number, reference, event, idempotency key, trace."""

    def __init__(self, connection: Connection, principal: str | None = None) -> None:
        self._connection = connection
        self._principal = principal
        self._tried: list[str] = []

    async def find(self, name: str) -> Found:
        """Return the first order that has this name."""
        for way in (self._by_id, self._by_reference, self._by_event, self._by_key, self._by_trace):
            order_id = await way(name.strip())
            if order_id is not None:
                return Found(order_id=order_id, tried=(self._tried[-1],))
        return Found(order_id=None, tried=tuple(self._tried))

    async def _by_id(self, name: str) -> UUID | None:
        if _UUID.fullmatch(name) is None:
            return None
        self._tried.append(f"order id {name}")
        return await self._order(name)

    async def _by_reference(self, name: str) -> UUID | None:
        self._tried.append(f"number or external reference {name}")
        number = int(name) if _NUMBER.fullmatch(name) else None
        async with transaction(self._connection) as tx:
            return await inspections.id_of(tx, number, name)

    async def _by_event(self, name: str) -> UUID | None:
        if _UUID.fullmatch(name) is None:
            return None
        self._tried.append(f"event id {name}, in the outbox and the parking")
        return await self._order(await collecting.key_of_event(self._connection, UUID(name)))

    async def _by_key(self, name: str) -> UUID | None:
        self._tried.append(f"idempotency key {name}")
        try:
            async with transaction(self._connection) as tx:
                paths = await idempotency_locations.locations(tx, name, self._principal, _KEYS_MAX)
        except QueryCanceled:
            self._tried[-1] += ", which took too long: say whose it is with --principal"
            return None
        found = {match[1] for path in paths if (match := _IN_PATH.fullmatch(path))}
        if len(found) > 1:
            self._tried[-1] += f", which {len(found)} callers have used: say --principal"
            return None
        return await self._order(found.pop()) if found else None

    async def _by_trace(self, name: str) -> UUID | None:
        match = _TRACE.fullmatch(name.lower())
        if match is None:
            return None
        search = await collecting.keys_of_trace(self._connection, match[1])
        self._tried.append(
            f"trace {match[1]}, in the outbox back to {rfc3339(search.looked_since)}"
        )
        for key in search.keys:
            order_id = await self._order(key)
            if order_id is not None:
                return order_id
        return None

    async def _order(self, key: str | None) -> UUID | None:
        if key is None or _UUID.fullmatch(key) is None:
            return None
        async with transaction(self._connection) as tx:
            order = await inspections.order(tx, UUID(key))
        return None if order is None else order.id
