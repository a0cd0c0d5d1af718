"""The whole application over a database of the test's own: called in-process, or as a process."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from litestar.types import ASGIApp
from msgspec.structs import replace

from deploy.local.ports import free_port
from deploy.local.signing import SCOPES
from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.runtime.readiness import Check
from libs.foundation.settings import ProcessSettings, Secret
from libs.testkit.callers import Callers
from libs.testkit.databases import Database
from libs.testkit.eventually import eventually
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


def tokens_of(callers: Callers) -> dict[str, str]:
    """Return a token for every caller, by the caller's name."""
    return {
        name.removesuffix("-token"): callers.token(
            principal, kind, SCOPES if scopes == ["*"] else scopes
        )
        for name, (principal, kind, scopes) in CALLERS.items()
    }


class Api:
    """Calls the API as one of CALLERS; `staff` unless said otherwise."""

    def __init__(self, client: httpx.AsyncClient, callers: Callers) -> None:
        self.client = client
        self.callers = callers
        self._tokens = tokens_of(callers)

    def token(self, caller: str) -> str:
        """Return the token of a caller; a text that names none is sent as it is."""
        return self._tokens.get(caller, caller)

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
        named["authorization"] = f"Bearer {self.token(caller)}"
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


def api_settings(database: Database, callers: Callers) -> ApiSettings:
    return ApiSettings(
        database=DatabaseSettings(url=database.url_for("orderly_api")),
        process=ProcessSettings(side_port=0),
        port=0,
        authentication=callers.settings,
        cursor_secret=Secret("a secret of the tests"),
    )


@asynccontextmanager
async def open_api(database: Database, **changed: object) -> AsyncGenerator[Api]:
    """Open the application; a keyword changes a setting of the API."""
    with TemporaryDirectory() as folder:
        callers = Callers(Path(folder))
        settings = replace(api_settings(database, callers), **changed)
        checks: list[Check] = []
        async with open_application(settings, checks.append) as application:
            await eventually(lambda: all(check().ready for check in checks))
            transport = httpx.ASGITransport(as_asgi(application), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
                yield Api(client, callers)


@asynccontextmanager
async def api_process(
    database: Database,
    folder: Path,
    settings: Mapping[str, str] | None = None,
    *,
    port: int | None = None,
    ready: bool = True,
) -> AsyncGenerator[tuple[ServiceProcess, int]]:
    """Run the process, and yield it with the port it serves; `settings` are variables of it."""
    port, side_port = port or free_port(), free_port()
    environment = {
        "API_DATABASE_URL": database.url_for("orderly_api"),
        "API_PORT": str(port),
        "API_PROCESS_SIDE_PORT": str(side_port),
        "API_AUTHENTICATION_ISSUERS": Callers(folder).settings.issuers,
        "API_CURSOR_SECRET": "a secret of the tests",
        **(settings or {}),
    }
    async with running(
        "services.api", environment=environment, side_port=side_port, ready=ready
    ) as process:
        yield process, port
