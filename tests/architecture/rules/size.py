"""How long a line, a function and a file may be, and how a module opens."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.architecture.source import Finding, Source

LINE_COLUMNS_MAX: Final = 100
BODY_LINES_MAX: Final = 40
FILE_LINES_MAX: Final = 300

_SECOND_SENTENCE: Final = re.compile(r"[.!?]\s+\S")


def long_lines(source: Source) -> Iterator[Finding]:
    for number, line in source.lines():
        if len(line) > LINE_COLUMNS_MAX:
            message = f"{len(line)} columns: break the line at {LINE_COLUMNS_MAX}"
            yield Finding(source.path, number, message)


def long_files(source: Source) -> Iterator[Finding]:
    lines = len(source.text.splitlines())
    if lines > FILE_LINES_MAX:
        message = f"{lines} lines: split it by subject into modules of {FILE_LINES_MAX} at most"
        yield Finding(source.path, lines, message)


def long_functions(source: Source) -> Iterator[Finding]:
    for node in source.nodes():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = body_lines(node)
            if lines > BODY_LINES_MAX:
                message = f"{node.name} has {lines} lines: give each of its steps a name"
                yield source.at(node, message)


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its signature and its docstring."""
    body = function.body
    has_docstring = ast.get_docstring(function, clean=False) is not None
    statements = body[1:] if has_docstring else body
    if not statements:
        return 0
    first = statements[0]
    decorators = getattr(first, "decorator_list", [])
    start = min([first.lineno, *(decorator.lineno for decorator in decorators)])
    return (function.end_lineno or start) - start + 1


def modules_without_an_opening_sentence(source: Source) -> Iterator[Finding]:
    if not source.text.strip():
        return
    text = ast.get_docstring(source.tree)
    if text is None:
        yield Finding(source.path, 1, "open the module with one sentence: what is it for?")
        return
    # A reason may follow in paragraphs of its own; what the module is for comes first, alone.
    opening = text.split("\n\n", 1)[0]
    if not opening.endswith(".") or _SECOND_SENTENCE.search(opening):
        yield Finding(source.path, 1, "say in exactly one sentence what the module is for")
