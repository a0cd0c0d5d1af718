"""Conditional requests: one strong ETag per version, compared as RFC 9110 section 13 says."""

import re
from collections.abc import Sequence
from typing import Final

from libs.foundation.web.refusals import PreconditionRequired

_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_VERSION: Final = re.compile(r"v([1-9][0-9]{0,17})")
_ANY: Final = "*"
NO_VERSION: Final = 0
"""A version no resource has."""


def etag(version: int) -> str:
    """Return the ETag of a version."""
    return f'"v{version}"'


def expected_version(if_match: Sequence[str]) -> int | None:
    """Return the version a change was decided on; None for `*`, which accepts any.

    Weak tags and tags that are none of ours never match: they come to NO_VERSION. Of several
    the newest counts, since a caller who knows it knows that the others are past.
    """
    if not if_match:
        raise PreconditionRequired
    value = ",".join(if_match)
    if value.strip() == _ANY:
        return None
    return max((_version(tag) for weak, tag in _TAG.findall(value) if not weak), default=NO_VERSION)


def is_unchanged(if_none_match: Sequence[str], version: int) -> bool:
    """Say whether the caller has this version already, so that 304 is enough."""
    value = ",".join(if_none_match)
    if value.strip() == _ANY:
        return True
    return any(_version(tag) == version for _, tag in _TAG.findall(value))


def asks_for_absence(if_none_match: Sequence[str]) -> bool:
    """Say whether the request may only create: `If-None-Match: *`."""
    return [value.strip() for value in if_none_match] == [_ANY]


def _version(tag: str) -> int:
    found = _VERSION.fullmatch(tag)
    return NO_VERSION if found is None else int(found[1])
