"""Which build this is: the version of the project and the commit it was made from."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import Struct

_ROOT: Final = Path(__file__).resolve().parents[2]
_UNKNOWN: Final = "unknown"


class Build(Struct, frozen=True, kw_only=True):
    """What `build_info` and `/livez` show."""

    version: str
    commit: str


@cache
def build() -> Build:
    """Return the build of this tree; read once."""
    return read_build(_ROOT)


def read_build(root: Path) -> Build:
    """Read the version from pyproject.toml and the commit from COMMIT, else from git's files.

    An image has no git; making one writes the file COMMIT beside pyproject.toml.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    commit = _line(root / "COMMIT") or _checked_out_commit(root / ".git") or _UNKNOWN
    return Build(version=project["version"], commit=commit)


def _checked_out_commit(git: Path) -> str | None:
    head = _line(git / "HEAD")
    if head is None or not head.startswith("ref: "):
        return head
    reference = head.removeprefix("ref: ")
    return _line(git / reference) or _packed_commit(git, reference)


def _packed_commit(git: Path, reference: str) -> str | None:
    try:
        lines = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.split()[0] for line in lines if line.endswith(f" {reference}")), None)


def _line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
