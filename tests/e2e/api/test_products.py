"""The catalogue over HTTP: conditional writes and paging."""

import pytest

from tests.e2e.api.conftest import Api, product


async def test_a_product_is_created_once(api: Api) -> None:
    created, again = await api.sell("TEE"), await api.sell("TEE")

    assert (created.status_code, created.headers["etag"]) == (201, '"v1"')
    assert created.headers["location"] == "/v1/products/TEE"
    assert (again.status_code, again.json()["version"]) == (412, 1)


async def test_a_product_is_replaced_by_who_has_seen_it(api: Api) -> None:
    await api.sell("TEE")

    replaced = await api.call("PUT", "/v1/products/TEE", product(2_500), if_match='"v1"')
    stale = await api.call("PUT", "/v1/products/TEE", product(3_000), if_match='"v1"')
    blind = await api.call("PUT", "/v1/products/TEE", product(3_000))

    assert (replaced.status_code, replaced.headers["etag"]) == (200, '"v2"')
    assert (stale.status_code, stale.json()["version"]) == (412, 2)
    assert blind.status_code == 428
    assert (await api.get("/v1/products/TEE")).json()["price"]["amount"] == 2_500


async def test_an_absent_product_is_neither_read_nor_replaced(api: Api) -> None:
    assert (await api.get("/v1/products/NONE")).status_code == 404
    replaced = await api.call("PUT", "/v1/products/NONE", product(), if_match="*")
    assert replaced.status_code == 404


async def test_a_customer_reads_the_catalogue_and_does_not_change_it(api: Api) -> None:
    await api.sell("TEE")

    refused = await api.call("PUT", "/v1/products/TEE", product(), caller="ada", if_match="*")

    assert (await api.get("/v1/products/TEE", caller="ada")).status_code == 200
    assert refused.status_code == 403
    assert 'scope="catalogue:write"' in refused.headers["www-authenticate"]


async def test_products_are_listed_in_the_order_of_their_skus(api: Api) -> None:
    for sku in ("C", "A", "B"):
        await api.sell(sku)
    await api.call("PUT", "/v1/products/B", {**product(), "active": False}, if_match="*")

    first = (await api.get("/v1/products?limit=2")).json()
    rest = (await api.get(f"/v1/products?limit=2&cursor={first['next_cursor']}")).json()
    active = (await api.get("/v1/products?active=true")).json()

    assert [item["sku"] for item in first["items"]] == ["A", "B"]
    assert [item["sku"] for item in rest["items"]] == ["C"]
    assert [item["sku"] for item in active["items"]] == ["A", "C"]


@pytest.mark.parametrize("sku", ["-a", "a%20b", "%C3%A4", "a" * 65, "a%00b"])
async def test_a_sku_out_of_form_names_nothing(api: Api, sku: str) -> None:
    assert (await api.get(f"/v1/products/{sku}")).status_code == 404
