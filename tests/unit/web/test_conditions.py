"""Conditional requests: which version an ETag header names."""

import pytest

from libs.foundation.web.conditions import (
    NO_VERSION,
    asks_for_absence,
    etag,
    expected_version,
    is_unchanged,
)
from libs.foundation.web.refusals import PreconditionRequired


@pytest.mark.parametrize(
    ("if_match", "version"),
    [
        (['"v7"'], 7),
        (["*"], None),
        (['"v6", "v7"'], 7),
        (['"v6"', '"v7"'], 7),
        (['W/"v7"'], NO_VERSION),
        (['"7"'], NO_VERSION),
        (["v7"], NO_VERSION),
        (['"v0"'], NO_VERSION),
        (['"v99999999999999999999"'], NO_VERSION),
    ],
)
def test_if_match_names_the_version_a_change_was_decided_on(
    if_match: list[str], version: int | None
) -> None:
    assert expected_version(if_match) == version


def test_a_change_without_if_match_is_refused() -> None:
    with pytest.raises(PreconditionRequired):
        expected_version([])


@pytest.mark.parametrize(
    ("if_none_match", "unchanged"),
    [
        (['"v3"'], True),
        (['W/"v3"'], True),
        (["*"], True),
        (['"v2", "v3"'], True),
        (['"v2"'], False),
        ([], False),
    ],
)
def test_if_none_match_compares_weakly(
    if_none_match: list[str],
    unchanged: bool,  # noqa: FBT001 - a parameter of the table.
) -> None:
    assert is_unchanged(if_none_match, 3) is unchanged


def test_only_a_star_asks_for_absence() -> None:
    assert asks_for_absence(["*"])
    assert not asks_for_absence([etag(1)])
    assert not asks_for_absence([])
