"""The simulator sends signed webhooks: always or on demand, twice, late, out of order, or never."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID

import pytest

from libs.domain.payments.provider import Accepted, Authorisation, Succeeded
from libs.domain.payments.simulator_provider import SimulatorProvider
from libs.foundation.redaction import Secret
from libs.foundation.resilience.deadline import Deadline
from libs.foundation.web.webhook_signatures import WebhookSignatures
from libs.testkit.eventually import eventually
from libs.testkit.payments.provider_conformance import authorisation
from libs.testkit.payments.simulator_process import SimulatorProcess, simulator_process
from libs.testkit.payments.webhook_inbox import SECRET, WebhookInbox, webhook_inbox
from tests.integration.payments.harness import simulator_provider

SIGNATURES = WebhookSignatures([Secret(SECRET)])
LATE_MS = 200


@pytest.fixture
async def inbox() -> AsyncGenerator[WebhookInbox]:
    async with webhook_inbox() as inbox:
        yield inbox


@pytest.fixture
async def simulator(tmp_path: Path, inbox: WebhookInbox) -> AsyncGenerator[SimulatorProcess]:
    environment = {
        "SIMULATOR_WEBHOOK_URL": inbox.url,
        "SIMULATOR_WEBHOOK_SECRET": SECRET,
        "SIMULATOR_WEBHOOKS": "always",
    }
    async with simulator_process(tmp_path / "ledger.sqlite", environment=environment) as process:
        yield process


@pytest.fixture
async def provider(simulator: SimulatorProcess) -> AsyncGenerator[SimulatorProvider]:
    async with simulator_provider(simulator.url) as provider:
        yield provider


async def told(inbox: WebhookInbox) -> UUID:
    """Return the key that the next webhook is about, once its signature is checked."""
    received = await inbox.next()
    event_id = SIGNATURES.verify(received.headers, received.body)
    key = UUID(json.loads(received.body)["data"]["key"])
    assert event_id == f"evt_{key.hex}"
    return key


async def test_each_operation_is_told_once_signed_and_again_until_it_is_taken(
    provider: SimulatorProvider, inbox: WebhookInbox
) -> None:
    inbox.refusals = [503, 500]
    request = await authorise(provider)

    assert await told(inbox) == request.key


async def test_faults_tell_it_twice_or_never(
    provider: SimulatorProvider, simulator: SimulatorProcess, inbox: WebhookInbox
) -> None:
    await simulator.set_faults(
        {"kind": "webhook_lost", "count": 1}, {"kind": "webhook_twice", "token_prefix": "tok_ok"}
    )
    await authorise(provider)
    second = await authorise(provider)

    assert [await told(inbox), await told(inbox)] == [second.key, second.key]


@pytest.mark.parametrize("kind", ["webhook_late", "webhook_out_of_order"])
async def test_a_later_operation_may_be_told_first(
    provider: SimulatorProvider, simulator: SimulatorProcess, inbox: WebhookInbox, kind: str
) -> None:
    await simulator.set_faults({"kind": kind, "count": 1, "delay_ms": LATE_MS})
    first, second = await authorise(provider), await authorise(provider)

    assert [await told(inbox), await told(inbox)] == [second.key, first.key]


async def test_an_accepted_operation_is_told_later_by_webhook_and_by_lookup(
    provider: SimulatorProvider, simulator: SimulatorProcess, inbox: WebhookInbox
) -> None:
    await simulator.set_faults({"kind": "accepted", "count": 1, "delay_ms": LATE_MS})
    request = authorisation()

    answers = [
        await provider.authorise(request, soon()),
        await provider.authorise(request, soon()),
        await provider.lookup(request.key, soon()),
    ]

    assert answers == [Accepted()] * 3
    assert await told(inbox) == request.key
    await eventually(
        lambda: provider.lookup(request.key, soon()), lambda found: isinstance(found, Succeeded)
    )


async def authorise(provider: SimulatorProvider) -> Authorisation:
    request = authorisation()
    assert isinstance(await provider.authorise(request, soon()), Succeeded)
    return request


def soon() -> Deadline:
    return Deadline.after_ms(10_000)
