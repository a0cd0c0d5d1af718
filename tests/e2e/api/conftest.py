"""The whole application over a database of the test's own: called in-process, or as a process."""

import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.types import ASGIApp

from deploy.local.ports import free_port
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.settings import ProcessSettings, Secret
from libs.testkit.databases import Database
from libs.testkit.faults import ServiceProcess, running
from services.api.settings import ApiSettings
from services.api.wiring import open_application

CALLERS = {
    "staff-token": ("staff-1", "staff", ["*"]),
    "checkout-token": ("shop", "machine", ["orders:checkout", "orders:read"]),
    "ada-token": ("ada", "customer", ["*"]),
    "bob-token": ("bob", "customer", ["*"]),
    "reader-token": ("reader", "machine", ["orders:read"]),
}


def token_file() -> str:
    """Return the content of a token file with every caller."""
    return json.dumps(
        [
            {
                "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
                "principal": principal,
                "kind": kind,
                "scopes": scopes,
            }
            for token, (principal, kind, scopes) in CALLERS.items()
        ]
    )


class Api:
    """Calls the API as one of CALLERS; `staff` unless said otherwise."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def call(
        self,
        method: str,
        path: str,
        content: object = None,
        *,
        caller: str = "staff",
        **headers: str,
    ) -> httpx.Response:
        """Send a request; a keyword `if_match` becomes the header If-Match."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["authorization"] = f"Bearer {caller}-token"
        body = None
        if content is not None:
            body = json.dumps(content).encode()
            named.setdefault("content-type", "application/json")
        return await self.client.request(method, path, content=body, headers=named)

    async def get(self, path: str, *, caller: str = "staff", **headers: str) -> httpx.Response:
        return await self.call("GET", path, caller=caller, **headers)

    async def sell(self, sku: str, price: int | None = 2_000) -> httpx.Response:
        """Put a product into the catalogue."""
        return await self.call("PUT", f"/v1/products/{sku}", product(price), if_none_match="*")

    async def place(
        self, key: str, content: Mapping[str, Any], caller: str = "ada"
    ) -> httpx.Response:
        return await self.call(
            "POST", "/v1/orders", content, caller=caller, idempotency_key=f'"{key}"'
        )


def as_asgi(application: ASGIApp) -> Any:  # noqa: ANN401
    """Forget a type: httpx declares the same protocol with other names."""
    return application


def product(price: int | None = 2_000) -> dict[str, Any]:
    money = None if price is None else {"amount": price, "currency": "EUR"}
    return {"name": "T-shirt", "price": money, "active": True, "stock_tracked": True}


def order(sku: str = "TEE", quantity: int = 1, **fields: object) -> dict[str, Any]:
    source = {"provider": "simulator", "kind": "token", "value": "tok_good"}
    lines = [{"sku": sku, "quantity": quantity}]
    return {"currency": "EUR", "lines": lines, "payment": {"source": source}, **fields}


@pytest.fixture
async def api(database: Database) -> AsyncIterator[Api]:
    async with open_api(database) as api:
        yield api


@pytest.fixture
async def shared_api(module_database: Database) -> AsyncIterator[Api]:
    """Give the API over a database that the tests of one module share: they leave nothing."""
    async with open_api(module_database) as api:
        yield api


def api_settings(database: Database) -> ApiSettings:
    return ApiSettings(
        database=DatabaseSettings(url=database.url_for("orderly_api")),
        process=ProcessSettings(side_port=0),
        port=0,
        tokens=Secret(token_file()),
        cursor_secret=Secret("a secret of the tests"),
    )


@asynccontextmanager
async def open_api(database: Database) -> AsyncGenerator[Api]:
    async with open_application(api_settings(database)) as application:
        transport = httpx.ASGITransport(as_asgi(application), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
            yield Api(client)


@asynccontextmanager
async def api_process(
    database: Database, folder: Path
) -> AsyncGenerator[tuple[ServiceProcess, int]]:
    """Run the process, and yield it with the port it serves."""
    tokens = folder / "tokens.json"
    tokens.write_text(token_file())
    port, side_port = free_port(), free_port()
    environment = {
        "API_DATABASE_URL": database.url_for("orderly_api"),
        "API_PORT": str(port),
        "API_PROCESS_SIDE_PORT": str(side_port),
        "API_TOKENS_FILE": str(tokens),
        "API_CURSOR_SECRET": "a secret of the tests",
    }
    async with running("services.api", environment=environment, side_port=side_port) as process:
        yield process, port
