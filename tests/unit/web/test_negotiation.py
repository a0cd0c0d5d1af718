"""Which requests JSON can answer, and which bodies are read."""

import pytest
from litestar.exceptions import HTTPException

from libs.foundation.web.negotiation import check_acceptable, check_body


@pytest.mark.parametrize(
    "accept",
    [
        [],
        [""],
        ["*/*"],
        ["application/json"],
        ["application/problem+json"],
        ["application/*;q=0.1"],
        ["text/html, application/xhtml+xml, */*;q=0.8"],
        ["text/html", "Application/JSON; charset=utf-8"],
        ["application/json;q=0, application/problem+json"],
        ["*/*;q=0, application/json;q=0.001"],
    ],
)
def test_a_request_that_takes_json_is_answered(accept: list[str]) -> None:
    check_acceptable(accept)


@pytest.mark.parametrize(
    "accept",
    [
        ["text/html"],
        ["application/xml, text/*"],
        ["application/json;q=0"],
        ["application/*;q=0, */*"],
        ["*/*;q=0.000"],
        ["json"],
    ],
)
def test_a_request_that_excludes_json_is_refused(accept: list[str]) -> None:
    with pytest.raises(HTTPException) as refused:
        check_acceptable(accept)

    assert refused.value.status_code == 406


@pytest.mark.parametrize(
    ("content_type", "encoding", "headers"),
    [
        ("", [], {"Accept": "application/json"}),
        ("text/plain", [], {"Accept": "application/json"}),
        ("application/json-patch+json", [], {"Accept": "application/json"}),
        (
            "application/json",
            ["gzip"],
            {"Accept": "application/json", "Accept-Encoding": "identity"},
        ),
        (
            "application/json",
            ["identity", "br"],
            {"Accept": "application/json", "Accept-Encoding": "identity"},
        ),
    ],
)
def test_a_body_that_is_not_plain_json_is_refused(
    content_type: str, encoding: list[str], headers: dict[str, str]
) -> None:
    with pytest.raises(HTTPException) as refused:
        check_body(content_type, encoding)

    assert (refused.value.status_code, refused.value.headers) == (415, headers)


def test_plain_json_is_read() -> None:
    check_body("Application/JSON; charset=utf-8", ["identity"])
