"""POST /v1/payment-webhooks/{provider}: signed, stored once, refused in the house's words."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest
from standardwebhooks.webhooks import Webhook

from libs.foundation.settings import Secret
from libs.testkit.databases import Database
from tests.e2e.api.conftest import open_api

OLD = "whsec_b2xkIHNlY3JldCB0aGF0IGlzIHJlcGxhY2VkIHNvb24="
NEW = "whsec_bmV3IHNlY3JldCB0aGF0IHJlcGxhY2VzIHRoZSBvbGQ="
PATH = "/v1/payment-webhooks/simulator"
BODY = b'{"type": "operation.succeeded"}'


@pytest.fixture
async def client(database: Database) -> AsyncGenerator[httpx.AsyncClient]:
    async with calling(database, Secret(NEW), Secret(OLD)) as client:
        yield client


@asynccontextmanager
async def calling(database: Database, *secrets: Secret) -> AsyncGenerator[httpx.AsyncClient]:
    async with open_api(database, simulator_webhook_secrets=secrets) as api:
        yield api.client


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_a_signed_webhook_is_stored_whichever_secret_signed_it(
    client: httpx.AsyncClient, database: Database, secret: str
) -> None:
    answer = await client.post(PATH, content=BODY, headers=signed(secret=secret))

    assert answer.status_code == 200, answer.text
    assert stored(database) == [("simulator", "evt_1", BODY)]


async def test_twins_and_repeats_are_answered_200_and_stored_once(
    client: httpx.AsyncClient, database: Database
) -> None:
    answers = await asyncio.gather(
        *(client.post(PATH, content=BODY, headers=signed()) for _ in range(10))
    )

    assert {answer.status_code for answer in answers} == {200}
    assert len(stored(database)) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "no comma"},
        {"webhook-signature": "v1,not base64!"},
        {"webhook-id": "evt_2"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "1"},
    ],
)
async def test_what_is_not_signed_by_us_both_is_refused(
    client: httpx.AsyncClient, database: Database, headers: dict[str, str]
) -> None:
    sent = {**signed(), **headers} if headers else {}

    answer = await client.post(PATH, content=BODY, headers=sent)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith("/webhook-signature-invalid")
    assert stored(database) == []


@pytest.mark.parametrize("off_s", [-301, 302])
async def test_a_signature_of_another_moment_is_refused(
    client: httpx.AsyncClient, off_s: int
) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=off_s)

    answer = await client.post(PATH, content=BODY, headers=signed(moment=moment))

    assert answer.status_code == 400


async def test_another_body_than_the_signed_one_is_refused(client: httpx.AsyncClient) -> None:
    for body in (BODY + b" ", b"\xff"):
        answer = await client.post(PATH, content=body, headers=signed())

        assert answer.status_code == 400


async def test_an_unknown_provider_is_not_found(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/payment-webhooks/elsewhere", content=BODY, headers=signed())

    assert answer.status_code == 404
    assert answer.json()["type"].endswith("/not-found")


async def test_a_body_beyond_the_limit_is_refused_unread(client: httpx.AsyncClient) -> None:
    answer = await client.post(PATH, content=b"x" * 70_000, headers=signed())

    assert answer.status_code == 413


async def test_only_post_is_allowed(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH)

    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]


async def test_without_a_secret_there_is_no_such_provider(database: Database) -> None:
    async with calling(database) as client:
        answer = await client.post(PATH, content=BODY, headers=signed())

    assert answer.status_code == 404


def signed(
    *, secret: str = NEW, id_: str = "evt_1", moment: datetime | None = None
) -> dict[str, str]:
    at = moment or datetime.now(UTC)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, at, BODY.decode()),
    }


def stored(database: Database) -> list[tuple[str, str, bytes]]:
    with psycopg.connect(database.url) as connection:
        return connection.execute(
            "SELECT provider, event_id, body FROM payments.webhooks"
        ).fetchall()
