"""Makes the page of problems from the catalogue that the API serves."""

from collections.abc import Iterator
from typing import Final

from libs.foundation.web.problem_types import Catalogue, ProblemType
from services.api.problem_types import PROBLEMS

_OPENING: Final = """\
# Problems

Generated from the code by `make generate`; `make check` fails when it is stale.

Every error of the API is a problem of RFC 9457 (`application/problem+json`). The last part of its
`type` is one of the codes below and never changes its meaning; `title` and `status` belong to the
code, `detail` is for people and may change. `trace_id` finds the request in logs and traces. The
API serves each page at its `type` (`/problems/unknown-sku`), and a list at `/problems/`. Further
codes may be added: treat one you do not know as its status.

A refusal is not stored under an Idempotency-Key: the same request is judged anew.
"""


def problems(types: Catalogue = PROBLEMS) -> str:
    """Return the whole document, a chapter for each status."""
    by_status: dict[int, list[ProblemType]] = {}
    for each in types.values():
        by_status.setdefault(each.status, []).append(each)
    chapters = (_chapter(status, by_status[status]) for status in sorted(by_status))
    return _OPENING + "".join(line for chapter in chapters for line in chapter)


def _chapter(status: int, types: list[ProblemType]) -> Iterator[str]:
    yield f"\n## {status}\n"
    for each in types:
        yield f"\n### {each.code}\n\n{each.meaning}\n\n**What to do.** {each.remedy}\n"
        if each.fields:
            yield "\n| field | is |\n|---|---|\n"
            yield from (f"| `{name}` | {text} |\n" for name, text in each.fields.items())
