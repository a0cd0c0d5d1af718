"""What a Markdown document must keep: one title, links that lead somewhere, commands that exist."""

import re
from collections.abc import Callable, Container, Iterator
from posixpath import dirname, join, normpath
from typing import Final

from tests.architecture.source import Finding, Rule, Source

_TITLE: Final = re.compile(r"# \S")
_HEADING: Final = re.compile(r"#{1,6} (.+)")
_LINK: Final = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
_OUTSIDE: Final = re.compile(r"[a-z][a-z+.-]*:|//")
_CODE: Final = re.compile(r"`([^`]+)`")
_MAKE: Final = re.compile(r"(?:^|\s|&&)make((?:\s+[\w./=-]+)+)")
_MODULE: Final = re.compile(r"python3? -m ((?:services|deploy|loadtests|libs)(?:\.\w+)+)")
_TARGET: Final = re.compile(r"([a-z][a-z-]*):(?!=)([^#]*)(## \S.*)?")


def titles(source: Source) -> Iterator[Finding]:
    """Demand one first-level heading: it is the document's name in every index."""
    lines = [number for number, line, code in prose(source) if not code and _TITLE.match(line)]
    if len(lines) != 1:
        yield Finding(source.path, 1, f"{len(lines)} titles: a document has exactly one `# Title`")


def links(exists: Callable[[str], bool], anchors: dict[str, set[str]]) -> Rule:
    """Return the rule that each relative link leads to a file, and its anchor to a heading."""

    def rule(source: Source) -> Iterator[Finding]:
        for number, line, code in prose(source):
            for match in () if code else _LINK.finditer(_CODE.sub("", line)):
                target = match.group(1)
                if not _OUTSIDE.match(target) and not _leads_somewhere(source.path, target):
                    yield Finding(source.path, number, f"{target} leads nowhere: correct the link")

    def _leads_somewhere(path: str, target: str) -> bool:
        file, _, anchor = target.partition("#")
        destination = normpath(join(dirname(path), file)) if file else path
        known = anchors.get(destination)
        return exists(destination) and (not anchor or known is None or anchor in known)

    return rule


def anchors_of(source: Source) -> set[str]:
    """Return the anchors a forge gives to the document's headings."""
    headings = (
        _HEADING.match(line) for _, line, code in prose(source) if not code and line[:1] == "#"
    )
    return {_anchor(match.group(1)) for match in headings if match}


def make_commands(targets: Container[str]) -> Rule:
    """Return the rule that every `make` command in a document names existing targets."""

    def rule(source: Source) -> Iterator[Finding]:
        for number, command in commands(source):
            for match in _MAKE.finditer(command):
                words = [word for word in match.group(1).split() if "=" not in word]
                for word in words:
                    if not word.startswith("-") and word not in targets:
                        message = f"make {word} does not exist: `make help` lists the commands"
                        yield Finding(source.path, number, message)

    return rule


def started_modules(exists: Callable[[str], bool]) -> Rule:
    """Return the rule that each `python -m` of ours in a document names an existing module."""

    def rule(source: Source) -> Iterator[Finding]:
        for number, command in commands(source):
            for module in _MODULE.findall(command):
                path = module.replace(".", "/")
                if not exists(f"{path}/__main__.py") and not exists(f"{path}.py"):
                    yield Finding(source.path, number, f"python -m {module}: no such module")

    return rule


def commands(source: Source) -> Iterator[tuple[int, str]]:
    """Yield every line of a code block and every stretch of code within a line."""
    for number, line, code in prose(source):
        if code:
            yield number, line.split("  #")[0].strip().removeprefix("$ ")
        else:
            yield from ((number, match.group(1)) for match in _CODE.finditer(line))


def prose(source: Source) -> Iterator[tuple[int, str, bool]]:
    """Yield the lines with their number and whether they stand in a code block."""
    fence = ""
    for number, line in source.lines():
        mark = line.strip()[:3]
        if mark in {"```", "~~~"} and fence in {"", mark}:
            fence = "" if fence else mark
            continue
        yield number, line, bool(fence)


def make_targets(makefile: Source) -> dict[str, str]:
    """Return each target with its explanation, empty if it has none."""
    matches = (_TARGET.match(line) for _, line in makefile.lines())
    return {match.group(1): match.group(3) or "" for match in matches if match}


def targets_without_explanation(makefile: Source) -> Iterator[Finding]:
    for number, line in makefile.lines():
        match = _TARGET.match(line)
        if match and not match.group(3):
            yield Finding(makefile.path, number, f"{match.group(1)}: say after ## what it does")


def _anchor(heading: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
