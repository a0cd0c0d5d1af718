"""Each `orderly ...` in a document is a command of the operators' program."""

import shlex
from collections.abc import Iterator

import pytest
from cyclopts import App
from rich.console import Console

from services.operator.app import build_app
from tests.architecture.rules import documents
from tests.architecture.source import Finding, Source, demand, found
from tests.architecture.source import documents as markdown


def test_every_operators_command_in_a_document_exists() -> None:
    demand(unknown_commands, markdown())


def test_every_operators_command_is_explained_on_the_operations_page() -> None:
    page = next(source for source in markdown() if source.path == "docs/operations.md")
    explained = [command for _, command in documents.commands(page)]

    missing = [
        name for name in leaves(application()) if not any(f"orderly {name}" in c for c in explained)
    ]

    assert missing == []


@pytest.mark.parametrize("line", ["`orderly parked mend`", "`orderly outbox`", "`orderly fly`"])
def test_a_command_that_does_not_exist_is_found(line: str) -> None:
    assert found(unknown_commands, "docs/a.md", line) == [1]


@pytest.mark.parametrize(
    "line", ["the `orderly` command", '`orderly parked retry A B C --reason "x"`']
)
def test_a_command_that_exists_is_accepted(line: str) -> None:
    assert found(unknown_commands, "docs/a.md", line) == []


def unknown_commands(source: Source) -> Iterator[Finding]:
    app = application()
    for number, command in documents.commands(source):
        words = shlex.split(command) if command.startswith("orderly ") else []
        chain, _, _ = app.parse_commands(words[1:])
        if words and " ".join(chain) not in leaves(app):
            yield Finding(source.path, number, f"{command}: `orderly --help` lists the commands")


def leaves(app: App, path: tuple[str, ...] = ()) -> list[str]:
    """Return the commands that do something, with the words that lead to them."""
    names = [name for name in app if not name.startswith("-")]
    itself = [" ".join(path)] if app.default_command is not None or not names else []
    return itself + [leaf for name in names for leaf in leaves(app[name], (*path, name))]


def application() -> App:
    return build_app({}, Console())
