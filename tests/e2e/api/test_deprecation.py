"""An endpoint on its way out says so: in headers to callers, in the description to readers."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from msgspec import Struct

from libs.foundation.web.application import Limits, application
from libs.foundation.web.endpoint import Call, Deprecation, Endpoint
from libs.foundation.web.openapi import describe
from libs.foundation.web.problem_types import WEB_PROBLEMS, catalogue
from libs.foundation.web.problems import Problems
from libs.foundation.web.refusals import NotFound
from libs.foundation.web.reply import Reply, reply
from libs.testkit.callers import Callers, open_access
from libs.testkit.databases import Database
from tests.e2e.api.conftest import as_asgi

SINCE: Final = datetime(2026, 11, 1, tzinfo=UTC)
SUNSET: Final = datetime(2027, 5, 1, tzinfo=UTC)
EXPECTED: Final = {
    "deprecation": "@1793491200",
    "sunset": "Sat, 01 May 2027 00:00:00 GMT",
    "link": '<https://docs.example/things>; rel="deprecation"; type="text/html"',
}


class Thing(Struct, frozen=True, kw_only=True):
    name: str


async def read(call: Call) -> Reply:
    if call.path("name", str) == "none":
        raise NotFound("thing")
    return reply(200, Thing(name="a"))


def endpoint(path: str, deprecation: Deprecation | None) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        handle=read,
        scopes=("things:read",),
        summary="Read a thing",
        answers={200: Thing},
        deprecation=deprecation,
    )


ENDPOINTS: Final = (
    endpoint("/v1/things/{name:str}", None),
    endpoint(
        "/v1/old-things/{name:str}",
        Deprecation(since=SINCE, sunset=SUNSET, explained_at="https://docs.example/things"),
    ),
)


@pytest.fixture
async def client(module_database: Database, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    callers = Callers(tmp_path)
    open_to = {"staff": frozenset({"things:read"})}
    async with open_access(module_database.url_for("orderly_api"), callers, open_to) as access:
        app = application(
            ENDPOINTS,
            public=[],
            access=access,
            problems=Problems("/problems/"),
            limits=Limits(body_bytes_max=100, deadline_ms=5_000),
        )
        token = callers.token("staff-1", "staff", ["things:read"])
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(as_asgi(app)),
            base_url="http://api",
            headers={"Authorization": f"Bearer {token}"},
        ) as client:
            yield client


@pytest.mark.parametrize(("name", "status"), [("a", 200), ("none", 404)])
async def test_every_answer_of_a_deprecated_endpoint_tells_its_end(
    client: httpx.AsyncClient, name: str, status: int
) -> None:
    old = await client.get(f"/v1/old-things/{name}")
    current = await client.get(f"/v1/things/{name}")

    assert (old.status_code, current.status_code) == (status, status)
    assert {header: old.headers[header] for header in EXPECTED} == EXPECTED
    assert not EXPECTED.keys() & set(current.headers)


def test_the_description_marks_a_deprecated_endpoint() -> None:
    document: dict[str, Any] = json.loads(
        describe("Things", "1", ENDPOINTS, [], catalogue(WEB_PROBLEMS))
    )

    old = document["paths"]["/v1/old-things/{name}"]["get"]
    assert old["deprecated"] is True
    assert {"Deprecation", "Sunset", "Link"} <= set(old["responses"]["200"]["headers"])
    assert "deprecated" not in document["paths"]["/v1/things/{name}"]["get"]


def test_nothing_goes_before_it_is_deprecated() -> None:
    with pytest.raises(ValueError, match="before it is deprecated"):
        Deprecation(since=SINCE, sunset=SINCE - timedelta(days=1))
