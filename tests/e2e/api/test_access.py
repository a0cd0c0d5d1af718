"""Who may do what: each kind and scope on each route, and what customers see of each other."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.signing import KINDS, SCOPES
from libs.foundation.ids import new_id
from tests.e2e.api.conftest import Api, order

EXPECTED = Path(__file__).with_name("access.txt")
# A body that is right, for each route that customers may call with one.
BODIES: dict[tuple[str, str], object] = {
    ("POST", "/v1/orders/{order_id}/cancellation"): {"reason": "customer_request"},
}
Operation = tuple[str, str, dict[str, Any]]


async def operations(api: Api) -> list[Operation]:
    """Return method, path and description of every route that wants a token."""
    return [each for each in await every_operation(api) if "bearer" in each[2]["security"][0]]


async def every_operation(api: Api) -> list[Operation]:
    """Return those for signed callers, too, from the table that routes them."""
    paths = (await api.client.get("/openapi.json")).json()["paths"]
    return [
        (method.upper(), path, described)
        for path, methods in sorted(paths.items())
        for method, described in sorted(methods.items())
    ]


def filled(path: str, **ids: object) -> str:
    """Put an id that belongs to nobody where `ids` names none."""
    return re.sub(r"{(\w+)}", lambda name: str(ids.get(name[1], new_id())), path)


async def test_each_kind_enters_each_route_by_the_expected_scopes(shared_api: Api) -> None:
    tokens = {
        (kind, scope): shared_api.callers.token("somebody", kind, [scope])
        for kind in KINDS
        for scope in SCOPES
    }
    lines: list[str] = []
    for method, path, _ in await operations(shared_api):
        lines.append(f"{method} {path}")
        for kind in sorted(KINDS):
            entered = [
                scope
                for scope in SCOPES
                if await enters(shared_api, method, path, tokens[kind, scope])
            ]
            lines.append(f"  {kind}: {', '.join(entered) or '-'}")
    found = "\n".join(lines) + "\n"

    assert found == EXPECTED.read_text(), f"{EXPECTED.name} should be:\n{found}"


async def enters(api: Api, method: str, path: str, token: str) -> bool:
    """Say whether the scope suffices; refusals of any other kind come after that question."""
    answer = await api.call(method, filled(path), caller=token)
    assert answer.status_code != 401
    if answer.status_code != 403:
        return True
    challenge = answer.headers["www-authenticate"]
    assert re.fullmatch(r'Bearer error="insufficient_scope"(, scope="[a-z: ]+")?', challenge)
    return False


async def test_the_development_issuer_knows_every_scope(shared_api: Api) -> None:
    declared = {
        scope
        for _, _, described in await operations(shared_api)
        for scope in described["security"][0]["bearer"]
    }

    assert declared <= set(SCOPES)


async def test_no_route_lets_anybody_in_without_a_token_or_without_a_scope(
    shared_api: Api,
) -> None:
    powerless = shared_api.callers.token("somebody", "staff", [])

    for method, path, _ in await operations(shared_api):
        stranger = await shared_api.client.request(method, filled(path))
        nobody = await shared_api.call(method, filled(path), caller=powerless)

        assert (stranger.status_code, nobody.status_code) == (401, 403), path
        assert stranger.headers["www-authenticate"] == "Bearer"


async def test_only_a_signed_webhook_is_let_in_without_a_token(shared_api: Api) -> None:
    signed = [
        (method, path, list(described["security"][0]))
        for method, path, described in await every_operation(shared_api)
        if "bearer" not in described["security"][0]
    ]

    assert signed == [("POST", "/v1/payment-webhooks/{provider}", ["webhook"])]


async def test_every_route_with_an_id_answers_for_anothers_order_as_for_none(api: Api) -> None:
    await api.sell("TEE")
    location = (await api.place("k1", order(), caller="ada")).headers["location"]
    others = location.rpartition("/")[2]
    absent = str(new_id())
    routes = [each for each in await operations(api) if "{order_id}" in each[1]]

    for number, (method, path, described) in enumerate(routes):
        body = BODIES.get((method, path))
        assert body is not None or not needs_body(described), f"{method} {path}: add a body"
        answers = [
            await ask(api, method, filled(path, order_id=order_id), body, f"key-{number}")
            for order_id in (others, absent)
        ]
        seen, unseen = [comparable(answer, others, absent) for answer in answers]
        assert seen == unseen
        assert seen[0] in {403, 404}
    assert len(routes) >= 3
    assert (await api.get(location, caller="ada")).json()["version"] == 1


def needs_body(described: dict[str, Any]) -> bool:
    """Say whether customers get as far as the body: without the scope it is never read."""
    of_customers = {"orders:place", "orders:read", "orders:cancel", "contacts:read"}
    may_call = not of_customers.isdisjoint(described["security"][0]["bearer"])
    return may_call and "requestBody" in described


async def ask(api: Api, method: str, path: str, body: object, key: str) -> httpx.Response:
    headers = {"if_match": "*", "if_none_match": '"v1"', "idempotency_key": key}
    if method == "GET":
        headers = {"if_none_match": '"v1"'}
    return await api.call(method, path, body, caller="bob", **headers)


def comparable(answer: httpx.Response, *ids: str) -> tuple[int, str, dict[str, str]]:
    """Return all a caller sees but the id it sent itself, the trace, and the quota it spent."""
    text = answer.text
    for each in ids:
        text = text.replace(each, "ID")
    trace = answer.json()["trace_id"]
    headers = {name: value for name, value in answer.headers.items() if name != "ratelimit"}
    return answer.status_code, text.replace(trace, "TRACE"), headers


async def test_anothers_key_does_not_replay_anothers_answer(api: Api) -> None:
    await api.sell("TEE")
    path = (await api.place("k1", order(), caller="ada")).headers["location"] + "/cancellation"
    body = {"reason": "customer_request"}
    await api.call("POST", path, body, caller="ada", idempotency_key="c1", if_match="*")

    refused = await api.call("POST", path, body, caller="bob", idempotency_key="c1", if_match="*")

    assert refused.status_code == 404
    assert "idempotent-replayed" not in refused.headers


@pytest.mark.parametrize("header", ["x-user-id", "x-forwarded-user", "x-principal"])
async def test_no_other_header_says_who_is_calling(shared_api: Api, header: str) -> None:
    refused = await shared_api.client.get("/v1/orders", headers={header: "staff-1"})

    assert refused.status_code == 401
