"""Pages for people: each problem explained, and the description to read and try."""

import gzip
import hashlib
import re
from pathlib import Path

import pytest

from libs.foundation.web import pages
from libs.testkit.databases import Database
from services.api.problem_types import PROBLEMS
from tests.e2e.api.conftest import Api, open_api, order

# Of swagger-ui-dist 5.35.0, before compression.
DIGESTS = {
    "swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
}


@pytest.mark.parametrize("code", sorted(PROBLEMS))
async def test_every_problem_has_its_page(shared_api: Api, code: str) -> None:
    page = await shared_api.client.get(f"/problems/{code}")

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"<h1>{PROBLEMS[code].title}</h1>" in page.text
    assert "`" not in page.text


async def test_the_type_of_a_problem_leads_to_its_page(shared_api: Api) -> None:
    refused = await shared_api.place("k1", order())

    page = await shared_api.client.get(refused.json()["type"])
    listed = await shared_api.client.get("/problems/")

    assert "<code>unknown-sku</code>, HTTP status 422" in page.text
    assert 'href="/problems/unknown-sku"' in listed.text


async def test_what_is_no_problem_has_no_page(shared_api: Api) -> None:
    assert (await shared_api.client.get("/problems/none")).status_code == 404


async def test_the_reference_is_there_only_if_it_is_asked_for(
    shared_api: Api, module_database: Database
) -> None:
    async with open_api(module_database, reference_page=True) as api:
        page = await api.client.get("/docs")
        loaded = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
        parts = [await api.client.get(path) for path in loaded]

    assert (await shared_api.client.get("/docs")).status_code == 404
    assert len(loaded) == 3
    assert [part.status_code for part in parts] == [200] * 3
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "http" not in page.text
    assert "SwaggerUIBundle" in parts[2].text


def test_the_assets_are_those_of_the_release_they_name() -> None:
    assets = Path(pages.__file__).parent / "assets"

    found = {
        name: hashlib.sha256(gzip.decompress((assets / f"{name}.gz").read_bytes())).hexdigest()
        for name in DIGESTS
    }

    assert found == DIGESTS
