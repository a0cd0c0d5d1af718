"""What callers are told about their quota, and what happens to those who exceed it."""

import asyncio
import re
from pathlib import Path

import httpx

from libs.foundation.web.quotas.quota import QuotaSettings
from libs.testkit.callers import Callers
from libs.testkit.databases import Database
from tests.e2e.api.conftest import Api, api_process, open_api

LIMIT = re.compile(r'"default";r=(\d+);t=(\d+)')
HOUR_S = 3_600


async def test_every_answer_to_a_known_caller_says_what_is_left(shared_api: Api) -> None:
    answers = [
        await shared_api.get("/v1/orders", caller="bob"),
        await shared_api.call("PUT", "/v1/products/TEE", caller="bob"),
        await shared_api.get("/v1/products/NONE", caller="bob"),
        await shared_api.call("POST", "/v1/orders", {}, caller="bob"),
    ]

    assert [answer.status_code for answer in answers] == [200, 403, 404, 400]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"default";q=600;w=60'}
    limits = [LIMIT.fullmatch(answer.headers["ratelimit"]) for answer in answers]
    left = [int(limit[1]) for limit in limits if limit is not None]
    assert left == [599, 598, 597, 596]
    assert {limit[2] for limit in limits if limit is not None} == {"1"}


async def test_a_stranger_learns_nothing_of_quotas(shared_api: Api) -> None:
    refused = await shared_api.client.get("/v1/orders")

    assert "ratelimit" not in refused.headers


async def test_who_exceeds_the_quota_is_told_when_to_come_back(database: Database) -> None:
    settings = QuotaSettings(requests_max=3, window_s=30)
    async with open_api(database, quota_customer=settings) as api:
        answers = [await api.get("/v1/orders", caller="ada") for _ in range(4)]
        other = await api.get("/v1/orders", caller="bob")
        powerless = await api.get("/v1/stock/TEE", caller="ada")

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert other.status_code == 200
    assert powerless.status_code == 429, "the quota is looked at before the scope"
    refused = answers[-1]
    limit = LIMIT.fullmatch(refused.headers["ratelimit"])
    assert limit is not None
    assert (limit[1], refused.headers["ratelimit-policy"]) == ("0", '"default";q=3;w=30')
    assert 10 <= int(limit[2]) <= int(refused.headers["retry-after"]) <= 20
    problem = refused.json()
    assert problem["type"].endswith("/quota-exceeded")
    assert problem["violated-policies"] == ["default"]


async def test_two_processes_give_one_quota(database: Database, tmp_path: Path) -> None:
    token = Callers(tmp_path).token("ada", "customer")
    quota = {
        "API_QUOTA_CUSTOMER_REQUESTS_MAX": "40",
        "API_QUOTA_CUSTOMER_WINDOW_S": str(HOUR_S),
    }
    async with (
        api_process(database, tmp_path, quota) as (_, one),
        api_process(database, tmp_path, quota) as (_, other),
        httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=20) as client,
    ):
        urls = [f"http://127.0.0.1:{port}/v1/products/NONE" for port in (one, other) * 60]
        answers = await asyncio.gather(*[client.get(url) for url in urls])

    statuses = [answer.status_code for answer in answers]
    assert {status: statuses.count(status) for status in set(statuses)} == {404: 40, 429: 80}
