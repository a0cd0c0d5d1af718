"""Which part of the repository may import which."""

import ast
import sys
from collections.abc import Iterator
from typing import Final

from tests.architecture.source import Finding, Source

OURS: Final = ("libs", "services", "deploy", "loadtests", "migrations", "docs", "tests")
CONTEXTS: Final = ("orders", "inventory", "payments")
EVERYTHING: Final = ""

# A part and the parts it may import besides itself; the longest name that fits a file counts.
ALLOWED: Final[dict[str, tuple[str, ...]]] = {
    "libs.contracts": (),
    "libs.foundation": (),
    **{f"libs.domain.{context}": ("libs.contracts", "libs.foundation") for context in CONTEXTS},
    "libs.domain": ("libs.contracts", "libs.foundation"),
    # What operators see across the contexts: processes read it, and no context may.
    "libs.domain.operations": ("libs.domain", "libs.contracts", "libs.foundation"),
    "libs.testkit": ("libs", "deploy.local"),
    "services": ("libs.domain", "libs.contracts", "libs.foundation"),
    "deploy": ("libs.contracts", "libs.foundation"),
    "loadtests": ("libs.contracts", "libs.foundation", "libs.testkit", "deploy"),
    "migrations": ("libs.foundation",),
    "docs": ("services", "libs.domain", "libs.contracts", "libs.foundation"),
    "tests": (EVERYTHING,),
}
REMEDY: Final[dict[str, str]] = {
    "libs.contracts": "contracts are msgspec structs and nothing else; build them in the caller",
    "libs.foundation": "pass what it needs in as an argument, or move the mechanism to foundation",
    "libs.domain": "contexts meet only in libs.contracts; send an event or a command",
    "libs.testkit": "the testkit may use the libraries and the launcher, not processes or tests",
    "services": "a process wires libraries; move what two processes share to libs",
    "deploy": "the launcher starts processes by `python -m`, it does not import them",
    "loadtests": "load and demos see the system from outside: HTTP, Kafka and what may be read",
    "migrations": "a migration must run unchanged years later; write the values into it",
    "docs": "documents are made from what is deployed",
}
CONTRACT_LIBRARIES: Final = frozenset({"msgspec"})


def imports_against_the_layers(source: Source) -> Iterator[Finding]:
    part = part_of(".".join(source.parts).removesuffix(".py"))
    if part is None:
        return
    for node, name in imported(source):
        if name.split(".")[0] in OURS and not _may_import(source, part, name):
            remedy = REMEDY[max((key for key in REMEDY if _inside(part, key)), key=len)]
            yield source.at(node, f"{part} must not import {name}: {remedy}")


def contracts_that_import_libraries(source: Source) -> Iterator[Finding]:
    if not source.within("libs/contracts"):
        return
    for node, name in imported(source):
        top = name.split(".")[0]
        if top not in OURS and top not in CONTRACT_LIBRARIES | sys.stdlib_module_names:
            yield source.at(node, f"contracts must not import {top}: {REMEDY['libs.contracts']}")


def imported(source: Source) -> Iterator[tuple[ast.stmt, str]]:
    """Yield each import with its dotted name; `from a import b` counts as `a.b`."""
    for node in source.nodes():
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            for alias in node.names:
                yield node, f"{node.module}.{alias.name}"


def part_of(module: str) -> str | None:
    return max((part for part in ALLOWED if _inside(module, part)), key=len, default=None)


def _may_import(source: Source, part: str, name: str) -> bool:
    if part == "services":  # Each process may import itself, but no other process.
        own = (".".join(source.parts[:2]),)
    elif part == "libs.domain":  # What contexts share must not depend on one of them.
        own = ("libs.domain",) if part_of(name) == part else ()
    else:
        own = (part,)
    return any(allowed == EVERYTHING or _inside(name, allowed) for allowed in own + ALLOWED[part])


def _inside(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")
