"""The development issuer of a whole stack: supervised, and its tokens open the API."""

import aiohttp

from tests.e2e.stack import RunningStack


async def test_a_killed_issuer_comes_back_with_its_key(own_stack: RunningStack) -> None:
    async with aiohttp.ClientSession() as session:
        before = await key_set(session, own_stack)
        bearer = {"Authorization": f"Bearer {own_stack.staff_token}"}

        async with (
            own_stack.outage("issuer"),
            session.get(f"{own_stack.api_url}/v1/orders", headers=bearer) as answer,
        ):
            assert answer.status == 200
        await own_stack.repaired()

        assert await key_set(session, own_stack) == before


async def test_a_token_made_on_demand_opens_the_api(stack: RunningStack) -> None:
    asked = {"subject": "c_901", "kind": "customer", "scopes": ["orders:read"], "lifetime_s": 60}
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{stack.issuer_url}/tokens", json=asked) as answer:
            token = (await answer.json())["access_token"]

        bearer = {"Authorization": f"Bearer {token}"}
        async with session.get(f"{stack.api_url}/v1/orders", headers=bearer) as answer:
            assert (answer.status, (await answer.json())["items"]) == (200, [])
        async with session.get(f"{stack.api_url}/v1/stock/TEE", headers=bearer) as answer:
            assert answer.status == 403


async def key_set(session: aiohttp.ClientSession, stack: RunningStack) -> str:
    async with session.get(f"{stack.issuer_url}/jwks.json") as answer:
        assert answer.status == 200
        return await answer.text()
