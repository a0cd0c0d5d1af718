"""Writes the generated documents: `python -m docs.generate`, or with `--check` compares them."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from docs.configuration import configuration

ROOT: Final = Path(__file__).parents[1]


def documents() -> Mapping[str, str]:
    """Return the text of each generated document by its path."""
    return {"docs/configuration.md": configuration()}


def stale(root: Path, wanted: Mapping[str, str]) -> Iterator[str]:
    """Yield the paths of documents that are missing or differ."""
    for path, text in wanted.items():
        file = root / path
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            yield path


def main(arguments: Sequence[str]) -> int:
    """Write what is stale, or only report it; the exit status of a report counts."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")
    only_check = parser.parse_args(arguments).check
    wanted = documents()
    found = list(stale(ROOT, wanted))
    for path in found:
        if only_check:
            sys.stderr.write(f"{path} is stale. Run: make generate\n")
        else:
            (ROOT / path).write_text(wanted[path], encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")
    return int(only_check and bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
