"""The published documents: valid by their own standards, complete, and what the code really sends.

`asyncapi-3.0.0.json.gz` is the schema of the npm package `@asyncapi/specs` 6.11.1 (Apache-2.0).
"""

import gzip
import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from docs.api_contract import openapi
from docs.generate import ROOT, breaks, documents
from docs.message_contracts import CONTRACTS, asyncapi, schema_of
from libs.contracts.topics import TOPICS
from libs.foundation.errors import AppError
from libs.foundation.web.problems import FRAMEWORK_CODES, INTERNAL_ERROR, STATUSES
from services.api.problem_types import PROBLEMS
from tests.contracts.registry import golden

API: Final[dict[str, Any]] = json.loads(openapi())
OPERATIONS: Final = {
    f"{method.upper()} {path}": operation
    for path, methods in API["paths"].items()
    for method, operation in methods.items()
}
# A provider proves a webhook by its signature: it has no token, and no key but the event's id.
OF_CALLERS: Final = sorted(
    name for name, operation in OPERATIONS.items() if "bearer" in operation["security"][0]
)
NAMES: Final = sorted(CONTRACTS)


def errors_of(form: Any, content: object) -> list[str]:  # noqa: ANN401 - validators of any draft.
    return [error.message for error in form.iter_errors(content)]


def test_the_api_description_is_openapi() -> None:
    assert list(OpenAPIV31SpecValidator(API).iter_errors()) == []


def test_the_examples_of_bodies_are_of_the_described_form() -> None:
    content = OPERATIONS["POST /v1/orders"]["requestBody"]["content"]["application/json"]
    form = Draft202012Validator({**content["schema"], "components": API["components"]})

    assert len(content["examples"]) == 2
    for example in content["examples"].values():
        assert errors_of(form, example["value"]) == []


@pytest.mark.parametrize("name", [name for name in OF_CALLERS if name.startswith("POST ")])
def test_every_post_needs_an_idempotency_key(name: str) -> None:
    parameters = {each["name"]: each["required"] for each in OPERATIONS[name]["parameters"]}

    assert parameters["Idempotency-Key"] is True


@pytest.mark.parametrize("name", OF_CALLERS)
def test_every_operation_tells_its_refusals_by_status(name: str) -> None:
    answers = OPERATIONS[name]["responses"]
    told = {
        int(status): answer["x-problem-codes"]
        for status, answer in answers.items()
        if int(status) >= 400
    }

    assert {400, 401, 403, 406, 429, 500, 503} <= set(told)
    assert {PROBLEMS[code].status for codes in told.values() for code in codes} == set(told)
    assert answers["401"]["headers"]["WWW-Authenticate"]["required"]
    assert answers["503"]["headers"]["Retry-After"]["required"]


def test_every_resource_with_a_version_is_read_with_its_etag() -> None:
    for name in ("GET /v1/orders/{order_id}", "GET /v1/products/{sku}"):
        answers = OPERATIONS[name]["responses"]
        assert answers["200"]["headers"]["ETag"]["required"]
        assert answers["304"]["headers"]["ETag"]["required"]


def test_every_link_leads_to_an_operation() -> None:
    ids = {operation["operationId"] for operation in OPERATIONS.values()}
    links = OPERATIONS["POST /v1/orders"]["responses"]["201"]["links"]

    assert {link["operationId"] for link in links.values()} <= ids
    assert set(links) == {"read", "timeline", "cancel"}


def test_a_problem_has_the_status_of_its_kind() -> None:
    kinds = {each.code: STATUSES[each.kind] for each in refusals(AppError) if hasattr(each, "code")}

    assert {code: PROBLEMS[code].status for code in kinds.keys() & PROBLEMS.keys()} == {
        code: status for code, status in kinds.items() if code in PROBLEMS
    }
    assert {code: PROBLEMS[code].status for code in FRAMEWORK_CODES.values()} == {
        code: status for status, code in FRAMEWORK_CODES.items()
    }
    assert PROBLEMS[INTERNAL_ERROR].status == 500


def refusals(kind: type[AppError]) -> list[type[AppError]]:
    found = kind.__subclasses__()
    return [*found, *(each for one in found for each in refusals(one))]


def test_the_description_of_messages_is_asyncapi() -> None:
    stored = gzip.decompress(Path(__file__).with_name("asyncapi-3.0.0.json.gz").read_bytes())
    document = json.loads(asyncapi())

    assert errors_of(Draft7Validator(json.loads(stored)), document) == []
    assert list(document["channels"]) == [topic.name for topic in TOPICS]
    assert set(document["components"]["messages"]) == set(NAMES)


def test_every_reference_of_the_message_description_leads_somewhere() -> None:
    document = json.loads(asyncapi())

    for reference in re.findall(r'"\$ref": "#/([^"]+)"', asyncapi()):
        found: Any = document
        for step in reference.split("/"):
            found = found[step]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_sent_is_of_the_published_schema(name: str) -> None:
    schema = schema_of(CONTRACTS[name])
    Draft202012Validator.check_schema(schema)

    assert errors_of(Draft202012Validator(schema), json.loads(golden(name))) == []


def test_nobody_who_relies_on_the_last_release_is_broken() -> None:
    assert list(breaks(ROOT, documents())) == []
