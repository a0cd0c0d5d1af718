"""The adapter believes an answer only as far as it proves something."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from uuid import UUID, uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from libs.contracts.money import Money
from libs.domain.payments.provider import (
    Accepted,
    Authorisation,
    Declined,
    NotExecuted,
    Outcome,
    Succeeded,
    Unknown,
)
from libs.domain.payments.settings import SimulatorProviderSettings
from libs.domain.payments.simulator_provider import SimulatorProvider
from libs.foundation.ids import new_id
from libs.foundation.resilience.deadline import Deadline

KEY = UUID("7d7a9c1e-54a5-4d3e-9f0a-0f4c9c8e2b11")
GOOD: dict[str, object] = {
    "key": str(KEY),
    "kind": "authorise",
    "status": "succeeded",
    "amount": {"amount": 1_999, "currency": "EUR"},
    "authorisation_id": "auth_1",
}
DECLINED = {**GOOD, "status": "declined", "authorisation_id": None}
Ask = Callable[[int, bytes, dict[str, str]], Awaitable[tuple[Outcome, Outcome | None]]]


@pytest.fixture
async def ask() -> AsyncGenerator[Ask]:
    """Give a function that says how an answer of the server is understood, by call and lookup."""
    answer = web.Response()

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handle)
    server = TestServer(application)
    await server.start_server()

    async def ask(
        status: int, body: bytes, headers: dict[str, str]
    ) -> tuple[Outcome, Outcome | None]:
        nonlocal answer
        answer = web.Response(status=status, body=body, headers=headers)
        request = Authorisation(
            key=KEY,
            order_id=new_id(),
            amount=Money(amount=1_999, currency="EUR"),
            token="tok_ok",
            external_reference=None,
        )
        settings = SimulatorProviderSettings(url=str(server.make_url("")))
        async with aiohttp.ClientSession() as session:
            provider = SimulatorProvider(session, settings)
            return (
                await provider.authorise(request, Deadline.after_ms(10_000)),
                await provider.lookup(KEY, Deadline.after_ms(10_000)),
            )

    yield ask
    await server.close()


async def test_a_readable_success_is_one(ask: Ask) -> None:
    assert await ask(200, json.dumps(GOOD).encode(), {}) == (
        Succeeded(reference="auth_1"),
        Succeeded(reference="auth_1"),
    )


async def test_an_answer_that_comes_later_is_accepted(ask: Ask) -> None:
    body = {**GOOD, "status": "accepted", "authorisation_id": None}

    called, _ = await ask(202, json.dumps(body).encode(), {})

    assert called == Accepted()


@pytest.mark.parametrize(
    ("code", "understood"),
    [("card_declined", "card_declined"), ("code_from_next_year", "other"), (None, "other")],
)
async def test_a_decline_has_a_code_of_ours(ask: Ask, code: str | None, understood: str) -> None:
    called, _ = await ask(402, json.dumps({**DECLINED, "decline_code": code}).encode(), {})

    assert called == Declined(code=understood)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"status": "succ'),
        (200, b""),
        (200, json.dumps({**GOOD, "authorisation_id": None}).encode()),
        (200, json.dumps({**GOOD, "key": str(uuid4())}).encode()),
        (201, b"x" * 100_000),
        (302, json.dumps(GOOD).encode()),
        (409, json.dumps(GOOD).encode()),
        (500, json.dumps(GOOD).encode()),
        (502, b"<html>"),
    ],
)
async def test_an_answer_that_proves_nothing_is_unknown(ask: Ask, status: int, body: bytes) -> None:
    called, looked_up = await ask(status, body, {})

    assert isinstance(called, Unknown)
    assert isinstance(looked_up, Unknown)


async def test_another_amount_than_asked_is_unknown(ask: Ask) -> None:
    body = {**GOOD, "amount": {"amount": 1, "currency": "EUR"}}

    called, _ = await ask(201, json.dumps(body).encode(), {})

    assert isinstance(called, Unknown)


@pytest.mark.parametrize("status", [400, 404, 405, 415, 422])
async def test_a_proxy_that_refuses_declines_nobody(ask: Ask, status: int) -> None:
    called, _ = await ask(status, b"<html>no route</html>", {})

    assert isinstance(called, Unknown)


@pytest.mark.parametrize("status", [401, 403, 425, 429])
async def test_what_is_turned_away_at_the_door_was_not_executed(ask: Ask, status: int) -> None:
    called, _ = await ask(status, b"", {"Retry-After": "3"})

    assert called == NotExecuted(reason=f"status_{status}", retry_after_ms=3_000)


async def test_a_retry_after_that_is_no_number_is_left_out(ask: Ask) -> None:
    called, _ = await ask(429, b"", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})

    assert called == NotExecuted(reason="status_429")


async def test_only_a_clear_not_found_means_that_a_key_was_never_used(ask: Ask) -> None:
    _, looked_up = await ask(404, b"", {})

    assert looked_up is None
