"""Writes the generated documents, or with `--check` compares them and guards the contracts."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from docs.api_contract import admin_openapi, openapi
from docs.compatibility import api_breaks, message_breaks
from docs.configuration import configuration
from docs.message_contracts import asyncapi, message_schemas
from docs.problems import problems

ROOT: Final = Path(__file__).parents[1]
CONTRACTS: Final = "docs/contracts"
RELEASED: Final = f"{CONTRACTS}/released"
_OPENAPI: Final = "openapi.json"
_SCHEMAS: Final = "schemas"
_REMEDY: Final = """\
Callers and consumers of the last release rely on this. Add beside it instead: a new field with a
default, a new path, a new type (`...v2`): CONTRIBUTING.md, "Change a contract".
"""


def documents() -> Mapping[str, str]:
    """Return the text of each generated document by its path."""
    schemas = message_schemas().items()
    return {
        "docs/configuration.md": configuration(),
        "docs/problems.md": problems(),
        f"{CONTRACTS}/{_OPENAPI}": openapi(),
        f"{CONTRACTS}/admin.json": admin_openapi(),
        f"{CONTRACTS}/asyncapi.json": asyncapi(),
        **{f"{CONTRACTS}/{_SCHEMAS}/{name}.json": schema for name, schema in schemas},
    }


def stale(root: Path, wanted: Mapping[str, str]) -> Iterator[str]:
    """Yield the paths of documents that are missing or differ."""
    for path, text in wanted.items():
        file = root / path
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            yield path


def breaks(root: Path, wanted: Mapping[str, str]) -> Iterator[str]:
    """Yield what the contracts would take from those who rely on the last release."""
    released = root / RELEASED
    api = _read(released / _OPENAPI)
    yield from api_breaks(api, json.loads(wanted[f"{CONTRACTS}/{_OPENAPI}"]))
    old = {path.stem: _read(path) for path in sorted((released / _SCHEMAS).glob("*.json"))}
    folder = f"{CONTRACTS}/{_SCHEMAS}/"
    new = {
        path.removeprefix(folder).removesuffix(".json"): json.loads(text)
        for path, text in wanted.items()
        if path.startswith(folder)
    }
    yield from message_breaks(old, new)


def released(wanted: Mapping[str, str]) -> Mapping[str, str]:
    """Return the contracts as the release that is being made freezes them."""
    parts = (f"{CONTRACTS}/{_OPENAPI}", f"{CONTRACTS}/{_SCHEMAS}/")
    return {
        path.replace(CONTRACTS, RELEASED, 1): text
        for path, text in wanted.items()
        if path.startswith(parts)
    }


def main(arguments: Sequence[str]) -> int:
    """Write what is stale, or only report it; the exit status of a report counts."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")
    parser.add_argument("--release", action="store_true", help="freeze the contracts, too")
    options = parser.parse_args(arguments)
    wanted = documents()
    if options.check:
        return _check(wanted)
    _write(wanted)
    if options.release:
        _write(released(wanted))
    return 0


def _check(wanted: Mapping[str, str]) -> int:
    found = list(stale(ROOT, wanted))
    broken = list(breaks(ROOT, wanted))
    for path in found:
        sys.stderr.write(f"{path} is stale. Run: make generate\n")
    for sentence in broken:
        sys.stderr.write(f"{sentence}\n")
    if broken:
        sys.stderr.write(_REMEDY)
    return int(bool(found or broken))


def _write(wanted: Mapping[str, str]) -> None:
    for path in stale(ROOT, wanted):
        file = ROOT / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(wanted[path], encoding="utf-8")
        sys.stdout.write(f"wrote {path}\n")


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
