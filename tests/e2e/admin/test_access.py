"""Who enters the operators' door: its own scopes, and no scope of the public interface."""

import re

from deploy.local.signing import KINDS, SCOPES
from tests.e2e.admin.conftest import Admin

READ, ACT = "operations:read", "operations:act"
ID = "0199d9a0-0000-7000-8000-000000000000"


async def routes(admin: Admin) -> list[tuple[str, str]]:
    paths = (await admin.client.get("/openapi.json")).json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


async def test_each_route_takes_its_scope_from_staff_and_machines_only(admin: Admin) -> None:
    found = await routes(admin)

    for method, path in found:
        accepted = READ if method == "GET" else ACT
        for kind in KINDS:
            for scope in SCOPES:
                token = admin.callers.token("somebody", kind, [scope])
                if kind != "customer" and scope == accepted:
                    continue
                answer = await admin.call(method, re.sub(r"{\w+}", ID, path), token=token)
                assert answer.status_code == 403, (method, path, kind, scope)
    assert len(found) >= 12


async def test_nobody_enters_without_a_token(admin: Admin) -> None:
    for method, path in await routes(admin):
        answer = await admin.client.request(method, re.sub(r"{\w+}", ID, path))

        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_every_answer_is_kept_from_caches(admin: Admin) -> None:
    answer = await admin.call("GET", "/admin/v1/relay")

    assert answer.headers["cache-control"] == "private, no-store"
