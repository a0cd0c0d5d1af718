"""The queries of docs/operations.md run, with the rights of the role they are written for."""

import re
from pathlib import Path
from typing import Any, Final, LiteralString, cast

import psycopg
import pytest

from libs.testkit.databases import Database

DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "operations.md"
VALUES: Final = {"order_id": "01990000-0000-7000-8000-000000000000", "reference": "100042"}

_BLOCK: Final = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VARIABLE: Final = re.compile(r":'(\w+)'")


def queries() -> list[str]:
    return _BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))


@pytest.mark.parametrize("query", queries())
def test_a_query_for_operators_runs_as_the_reader(module_database: Database, query: str) -> None:
    text = _VARIABLE.sub(lambda match: f"'{VALUES[match.group(1)]}'", query)

    with psycopg.connect(module_database.url_for("orderly_reader")) as connection:
        # The document is ours: its text is as trusted as this file.
        rows: list[Any] = connection.execute(cast("LiteralString", text)).fetchall()

    assert rows == []


def test_the_document_has_queries() -> None:
    assert len(queries()) >= 5
