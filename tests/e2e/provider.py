"""The payment provider as its operator sees it: its ledger, and faults on demand."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import httpx

from loadtests.demo.evidence import LedgerEntry, read_ledger


class Provider:
    """The simulator of a running stack."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    async def authorisations(self, order_id: str) -> list[LedgerEntry]:
        """Return the order's successful and refused authorisations."""
        return [entry for entry in await read_ledger(self._url) if entry.order_id == order_id]

    async def break_with(self, *faults: Mapping[str, object]) -> None:
        """Put these faults in the place of all others."""
        answer = await self._client.post("/v1/faults", json=faults)
        assert answer.status_code == 200, answer.text

    async def hits(self) -> int:
        """Return how many requests the faults have spoiled."""
        return sum(rule["hits"] for rule in (await self._client.get("/v1/faults")).json())


@asynccontextmanager
async def open_provider(url: str) -> AsyncGenerator[Provider]:
    async with httpx.AsyncClient(base_url=url) as client:
        provider = Provider(client, url)
        try:
            yield provider
        finally:
            await provider.break_with()
