"""Which metrics, spans and log events the code has, and which of them the document explains."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.architecture.source import Finding, Source

DOCUMENT: Final = "docs/observability.md"
HEADINGS: Final = {"metric": "Metrics", "span": "Spans", "log event": "Log events"}

_METRICS: Final = frozenset(
    {"counter", "gauge", "histogram", "Counter", "Gauge", "Histogram"}
    | {"counter_by", "gauge_by", "histogram_by"}
)
# The position of the name.
_SPANS: Final = {"span": 0, "span_from": 1, "record_span": 1, "update_name": 0}
_LEVELS: Final = frozenset({"debug", "info", "warning", "error", "critical", "exception"})
_LOGGERS: Final = ("_log", "log", "logger")
_ROW: Final = re.compile(r"^\| `([^`]+)`")


def emitted(source: Source) -> Iterator[tuple[str, str]]:
    """Yield the kind and name of everything a deployed module can emit."""
    if not source.within("libs", "services") or source.within("libs/testkit"):
        return
    for node in source.nodes():
        if isinstance(node, ast.Call):
            yield from _emitted_by(node)


def explained(document: Source) -> set[tuple[str, str]]:
    """Return the kind and name in the first column of each table."""
    kinds = {f"## {heading}": kind for kind, heading in HEADINGS.items()}
    found: set[tuple[str, str]] = set()
    kind: str | None = None
    for _, line in document.lines():
        if line.startswith("## "):
            kind = kinds.get(line.strip())
        match = _ROW.match(line)
        if kind is not None and match is not None:
            found.add((kind, match.group(1)))
    return found


def differences(document: Source, names: set[tuple[str, str]]) -> Iterator[Finding]:
    known = explained(document)
    for kind, name in sorted(names - known):
        message = f"the {kind} {name} is missing: explain it below `## {HEADINGS[kind]}`"
        yield Finding(document.path, 1, message)
    for kind, name in sorted(known - names):
        message = f"no code emits the {kind} {name}: delete its row, or correct the name"
        yield Finding(document.path, 1, message)


def _emitted_by(call: ast.Call) -> Iterator[tuple[str, str]]:
    called = ast.unparse(call.func).split(".")
    function, owner = called[-1], called[:-1]
    if function in _METRICS:
        yield from (("metric", name) for name in _names(call, 0))
    elif function in _SPANS:
        yield from (("span", name) for name in _names(call, _SPANS[function]))
    elif function in _LEVELS and owner and owner[-1] in _LOGGERS:
        yield from (("log event", name) for name in _names(call, 0))


def _names(call: ast.Call, position: int) -> Iterator[str]:
    """Yield the name given at `position`; what is computed in it stands in braces."""
    if position >= len(call.args):
        return
    match call.args[position]:
        case ast.Constant(value=str(name)):
            yield name
        case ast.JoinedStr(values=parts):
            yield "".join(_piece(part) for part in parts)
        case _:
            return


def _piece(part: ast.expr) -> str:
    match part:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=value):
            return f"{{{ast.unparse(value)}}}"
        case _:
            raise TypeError(f"no piece of an f-string: {ast.unparse(part)}")
