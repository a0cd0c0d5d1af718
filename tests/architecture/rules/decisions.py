"""What a decision record must say, and what must confirm it."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests.architecture.source import Finding, Rule, Source

FOLDER: Final = "docs/adr"
SECTIONS: Final = ("Context", "Decision", "Consequences", "Alternatives", "Confirmation")

_FILE: Final = re.compile(r"(\d{4})-[a-z0-9]+(?:-[a-z0-9]+)*\.md")
_TITLE: Final = re.compile(r"# (\d{4})\. \S")
_STATUS: Final = re.compile(
    r"(Proposed|Accepted|Rejected|Superseded by \[?\d{4}.*) · \d{4}-\d{2}-\d{2} · \S"
)
_SECTION: Final = re.compile(r"^## (\w+)[ \t]*(.*)$", re.MULTILINE)
_PATH: Final = re.compile(
    r"(?<![\w/])(?:tests|loadtests|libs|services|deploy|migrations|docs)/[\w./-]*[\w/](?:::\w+)?"
)
_BY_REVIEW: Final = "by review"


def is_decision(source: Source) -> bool:
    return source.within(FOLDER) and _FILE.fullmatch(source.parts[-1]) is not None


def opening(source: Source) -> Iterator[Finding]:
    """Demand the number of the file name in the title, and a status below it."""
    lines = source.text.splitlines()
    title = _TITLE.match(lines[0]) if lines else None
    if title is None or not source.parts[-1].startswith(title.group(1)):
        yield Finding(source.path, 1, "open with `# NNNN. Title`, NNNN being the file's number")
    if len(lines) < 2 or not _STATUS.match(lines[1]):  # Status: the line below the title.
        yield Finding(source.path, 2, "then `Accepted · YYYY-MM-DD · area`")


def sections(source: Source) -> Iterator[Finding]:
    found = [match.group(1) for match in _SECTION.finditer(source.text)]
    if found != list(SECTIONS):
        wanted = ", ".join(SECTIONS)
        yield Finding(source.path, 1, f"its sections are {found}: write {wanted}, in this order")
    for name in found:
        if not section(source, name):
            yield Finding(source.path, 1, f"{name} is empty: a sentence is enough")


def confirmations(holds: Callable[[str], bool]) -> Rule:
    """Return the rule that a decision names tests or scenarios that exist, or says `by review`."""

    def rule(source: Source) -> Iterator[Finding]:
        text = section(source, "Confirmation")
        named = _PATH.findall(text)
        if not named and _BY_REVIEW not in text.lower():
            yield Finding(source.path, 1, f"Confirmation: name a test, or say {_BY_REVIEW!r}")
        for path in named:
            if not holds(path):
                yield Finding(source.path, 1, f"Confirmation names {path}, which does not exist")

    return rule


def section(source: Source, name: str) -> str:
    """Return the text of one section: what stands beside its heading, and below it."""
    matches = list(_SECTION.finditer(source.text))
    for match, following in zip(matches, [*matches[1:], None], strict=True):
        if match.group(1) == name:
            end = following.start() if following else len(source.text)
            return f"{match.group(2)}{source.text[match.end() : end]}".strip()
    return ""


def numbering(decisions: Sequence[Source]) -> Iterator[Finding]:
    """Demand the numbers 0001, 0002, ... without a gap and without a twin."""
    for expected, source in enumerate(sorted(decisions, key=lambda each: each.path), start=1):
        number = int(source.parts[-1][:4])
        if number != expected:
            message = f"number {number:04} stands where {expected:04} is due: renumber the newest"
            yield Finding(source.path, 1, message)
            return


def missing_from_index(index: Source, decisions: Sequence[Source]) -> Iterator[Finding]:
    for decision in decisions:
        if f"({decision.parts[-1]})" not in index.text:
            yield Finding(index.path, 1, f"list {decision.parts[-1]} with a link")
