"""The simulator's ledger: one effect per key, durable, whatever shares its transaction."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest
from msgspec.structs import replace

from services.payment_simulator.ledger import Act, Authorise, KeyReused, Ledger, open_ledger
from services.payment_simulator.messages import Amount, AuthoriseBody, Kind, Status

EUROS = Amount(amount=1_999, currency="EUR")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.sqlite")


@pytest.fixture
async def ledger(path: str) -> AsyncGenerator[Ledger]:
    async with open_ledger(path) as ledger:
        yield ledger


def authorise(decline_code: str | None = None) -> Authorise:
    body = AuthoriseBody(order_reference="order-1", amount=EUROS, token="tok_ok")
    return Authorise(key=uuid4(), body=body, decline_code=decline_code)


async def test_a_key_used_fifty_times_at_once_is_one_authorisation(ledger: Ledger) -> None:
    request = authorise()

    answers = await asyncio.gather(*(ledger.execute(request) for _ in range(50)))

    assert answers == [answers[0]] * 50
    assert [item.live for item in await ledger.page(0, 10)] == [True]


async def test_a_key_of_another_request_is_refused_and_spoils_no_neighbour(
    ledger: Ledger,
) -> None:
    request, neighbour = authorise(), authorise()
    await ledger.execute(request)
    other = replace(request, body=replace(request.body, token="tok_other"))

    answers = await asyncio.gather(
        ledger.execute(other), ledger.execute(neighbour), return_exceptions=True
    )

    assert isinstance(answers[0], KeyReused)
    assert await ledger.find(neighbour.key) == answers[1]


async def test_a_decline_decided_later_does_not_change_an_answer(ledger: Ledger) -> None:
    request = authorise()
    first = await ledger.execute(request)

    again = await ledger.execute(replace(request, decline_code="card_declined"))

    assert again == first


@pytest.mark.parametrize(
    ("amount", "reference", "code"),
    [
        (EUROS, "auth_none", "authorisation_unknown"),
        (Amount(amount=1, currency="EUR"), None, "amount_differs"),
    ],
)
async def test_a_release_that_fits_nothing_is_declined(
    ledger: Ledger, amount: Amount, reference: str | None, code: str
) -> None:
    held = await ledger.execute(authorise())
    named = reference or held.authorisation_id or ""

    answer = await ledger.execute(
        Act(kind=Kind.RELEASE, key=uuid4(), authorisation_id=named, amount=amount)
    )

    assert (answer.status, answer.decline_code) == (Status.DECLINED, code)
    assert [item.live for item in await ledger.page(0, 10)] == [True]


async def test_a_reopened_ledger_knows_every_answer_it_gave(path: str) -> None:
    request = authorise()
    async with open_ledger(path) as ledger:
        held = await ledger.execute(request)
        await ledger.execute(
            Act(
                kind=Kind.RELEASE,
                key=uuid4(),
                authorisation_id=held.authorisation_id or "",
                amount=EUROS,
            )
        )

    async with open_ledger(path) as ledger:
        found = await ledger.find(request.key)
        [item] = await ledger.page(0, 10)

    assert found == held
    assert (item.live, item.released) == (False, 1_999)


async def test_pages_follow_each_other(ledger: Ledger) -> None:
    for _ in range(5):
        await ledger.execute(authorise())

    first = await ledger.page(0, 3)
    second = await ledger.page(first[-1].sequence, 3)

    assert [item.sequence for item in first + second] == [1, 2, 3, 4, 5]
