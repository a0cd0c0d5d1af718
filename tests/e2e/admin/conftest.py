"""The operators' interface over a database of the test's own, called in-process."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest

from libs.foundation.database.settings import DatabaseSettings
from libs.foundation.runtime.readiness import Check
from libs.foundation.settings import KafkaSettings, ProcessSettings
from libs.testkit.callers import Callers
from libs.testkit.databases import Database
from services.admin.settings import AdminSettings
from services.admin.wiring import open_application
from tests.e2e.api.conftest import as_asgi
from tests.integration.messaging.consumer_toys import Toys
from tests.integration.messaging.parked_toys import ParkedToys

NOWHERE: Final = "127.0.0.1:9"


class Admin:
    """Calls the interface as a person of the staff; a keyword names another token."""

    def __init__(self, client: httpx.AsyncClient, callers: Callers) -> None:
        self.client = client
        self.callers = callers
        self.token = callers.token("grace", "staff")

    async def call(
        self, method: str, path: str, content: object = None, *, token: str | None = None
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {token or self.token}"}
        return await self.client.request(method, path, json=content, headers=headers)

    async def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON.
        answer = await self.client.get(
            path, params=query, headers={"authorization": f"Bearer {self.token}"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def open_admin(database: Database, folder: Path) -> AsyncGenerator[Admin]:
    callers = Callers(folder)
    settings = AdminSettings(
        database=DatabaseSettings(url=database.url_for("orderly_operator")),
        kafka=KafkaSettings(bootstrap_servers=NOWHERE),
        process=ProcessSettings(side_port=0),
        port=0,
        authentication=callers.settings,
    )
    checks: list[Check] = []
    async with open_application(settings, checks.append) as application:
        assert all(check().ready for check in checks)
        transport = httpx.ASGITransport(as_asgi(application), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
            yield Admin(client, callers)


@pytest.fixture
async def admin(database: Database, tmp_path: Path) -> AsyncIterator[Admin]:
    async with open_admin(database, tmp_path) as opened:
        yield opened


@pytest.fixture
def parked(database: Database) -> ParkedToys:
    found = ParkedToys(Toys(database, "nowhere"), f"toys-{uuid4().hex[:8]}")
    found.park("k1", [1, 2, 3])
    found.park("k2", [1])
    return found
