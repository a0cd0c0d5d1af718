"""Content negotiation: there is JSON, as it is, and a request that excludes it is refused."""

import re
from collections.abc import Sequence
from typing import Final

from litestar.exceptions import HTTPException

from libs.foundation.web.reply import JSON, PROBLEM_JSON

_NOT_ACCEPTABLE: Final = 406
_UNSUPPORTED_MEDIA_TYPE: Final = 415
_IDENTITY: Final = "identity"
# What nearly every client sends is answered without taking it apart.
_USUAL: Final = frozenset({"*/*", JSON, "application/json, text/plain, */*"})
_REFUSED: Final = re.compile(r"\s*0(\.0{0,3})?\s*")


def check_acceptable(accept: Sequence[str]) -> None:
    """Raise 406 unless JSON, or problem details, may be the answer (RFC 9110 section 12.5.1)."""
    if not accept:
        return
    value = ",".join(accept)
    if value in _USUAL or not value.strip():
        return
    ranges = [_media_range(each) for each in value.split(",")]
    if not any(_accepted(type_, dict(ranges)) for type_ in (JSON, PROBLEM_JSON)):
        raise HTTPException(f"the answer is {JSON}", status_code=_NOT_ACCEPTABLE)


def check_body(content_type: str, content_encoding: Sequence[str]) -> None:
    """Raise 415 unless the body is plain JSON: what is compressed has no bound on its size."""
    media_type = content_type.partition(";")[0].strip()
    if media_type.lower() != JSON:
        raise HTTPException(
            f"the body must be {JSON}",
            status_code=_UNSUPPORTED_MEDIA_TYPE,
            headers={"Accept": JSON},
        )
    if any(value.strip().lower() != _IDENTITY for value in content_encoding):
        raise HTTPException(
            "the body must not be compressed",
            status_code=_UNSUPPORTED_MEDIA_TYPE,
            headers={"Accept": JSON, "Accept-Encoding": _IDENTITY},
        )


def _media_range(text: str) -> tuple[str, bool]:
    """Return a media range, and whether it is wanted at all."""
    range_, *parameters = text.split(";")
    weights = [each.partition("=")[2] for each in parameters if each.strip()[:2].lower() == "q="]
    return range_.strip().lower(), not any(_REFUSED.fullmatch(weight) for weight in weights)


def _accepted(media_type: str, ranges: dict[str, bool]) -> bool:
    """Let the most specific range decide."""
    for range_ in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if range_ in ranges:
            return ranges[range_]
    return False
