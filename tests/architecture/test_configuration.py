"""The configuration reference has a chapter for whatever a process reads, or is given."""

import ast

from deploy.local.issuer import IssuerSettings
from deploy.local.processes import PROCESSES
from docs.configuration import CHAPTERS
from libs.foundation.settings import reference
from tests.architecture.source import Source, python_sources


def test_every_prefix_a_process_reads_has_a_chapter() -> None:
    read = {prefix for source in python_sources() for prefix in prefixes(source)}

    assert read == {chapter.prefix for chapter in CHAPTERS}


def test_the_local_stack_sets_only_variables_that_exist() -> None:
    chapters = [reference(chapter.settings, chapter.prefix) for chapter in CHAPTERS]
    chapters.append(reference(IssuerSettings, "ISSUER_"))
    known = {row.variable for rows in chapters for row in rows}

    given = {name.removesuffix("_FILE") for each in PROCESSES for name in each.environment}

    assert sorted(given - known) == []


def test_prefixes_are_found_where_a_process_reads_settings() -> None:
    text = 'load_settings(A, environ, prefix="API_")\npartial(load_settings, prefix="B_")\n'

    assert prefixes(Source("services/api/__main__.py", text)) == {"API_", "B_"}
    named = 'P: Final = "C_"\nload_settings(A, environ, prefix=P)\n'
    assert prefixes(Source("services/api/settings.py", named)) == {"C_"}
    assert prefixes(Source("libs/a.py", text)) == set()


def prefixes(source: Source) -> set[str]:
    if not source.within("services"):
        return set()
    calls = [
        node
        for node in source.nodes()
        if isinstance(node, ast.Call) and "load_settings" in ast.unparse(node)
    ]
    constants = {
        ast.unparse(statement.target): statement.value
        for statement in source.tree.body
        if isinstance(statement, ast.AnnAssign)
    }
    given = [
        keyword.value for call in calls for keyword in call.keywords if keyword.arg == "prefix"
    ]
    values = [constants.get(ast.unparse(value), value) for value in given]
    return {ast.literal_eval(value) for value in values if value is not None}
