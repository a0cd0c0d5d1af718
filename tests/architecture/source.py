"""The files of the repository as rules see them, and the report of what breaks a rule."""

import ast
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Final, TypeAlias

import pytest

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Source:
    """One file: its path from the root of the repository, with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.path)

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.path.split("/"))

    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(self.tree)

    def lines(self) -> Iterator[tuple[int, str]]:
        return enumerate(self.text.splitlines(), start=1)

    def at(self, node: ast.stmt | ast.expr, message: str) -> Finding:
        return Finding(self.path, node.lineno, message)

    def within(self, *folders: str) -> bool:
        """Tell whether the file lies in, or is, one of `folders`."""
        return any(self.path == folder or self.path.startswith(f"{folder}/") for folder in folders)


Rule: TypeAlias = Callable[[Source], Iterable[Finding]]


@cache
def repository() -> tuple[Source, ...]:
    """Read every text file that is tracked, or new and not ignored."""
    # In a container the checkout may belong to another user, which git refuses by default.
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    paths = sorted({path for path in listing.split("\0") if path})
    return tuple(source for path in paths if (source := _read(path)) is not None)


def python_sources() -> tuple[Source, ...]:
    return tuple(source for source in repository() if source.path.endswith(".py"))


def documents() -> tuple[Source, ...]:
    return tuple(source for source in repository() if source.path.endswith(".md"))


def exists(path: str) -> bool:
    """Tell whether the repository has this file or folder; `file::name` asks for a definition."""
    file, _, name = path.partition("::")
    for source in repository():
        if source.path == file and name in source.text:
            return True
    return not name and (ROOT / file).is_dir()


def demand(rule: Rule, sources: Iterable[Source]) -> None:
    """Fail the test with everything in `sources` that breaks `rule`."""
    findings = [str(finding) for source in sources for finding in rule(source)]
    if findings:
        pytest.fail("\n".join([f"{len(findings)} found", *findings]), pytrace=False)


def found(rule: Rule, path: str, text: str) -> list[int]:
    """Return the lines of a made-up file that break `rule`: rules are tested by snippets."""
    return [finding.line for finding in rule(Source(path, text))]


def _read(path: str) -> Source | None:
    file = ROOT / path
    if not file.is_file():  # Deleted and not yet committed, or a link to a folder.
        return None
    try:
        return Source(path, file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:  # Binary: no rule reads those.
        return None
