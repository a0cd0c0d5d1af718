"""Lines, functions and files stay short, and modules open with a sentence."""

import pytest

from tests.architecture.rules import size
from tests.architecture.source import Rule, demand, found, python_sources

RULES = [
    size.long_lines,
    size.long_files,
    size.long_functions,
    size.modules_without_an_opening_sentence,
]
PATH = "libs/foundation/clock.py"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_code_stays_readable(rule: Rule) -> None:
    demand(rule, python_sources())


@pytest.mark.parametrize(("columns", "lines"), [(100, []), (101, [1])])
def test_a_line_has_100_columns_at_most(columns: int, lines: list[int]) -> None:
    assert found(size.long_lines, PATH, "x" * columns) == lines


@pytest.mark.parametrize(("count", "lines"), [(300, []), (301, [301])])
def test_a_file_has_300_lines_at_most(count: int, lines: list[int]) -> None:
    assert found(size.long_files, PATH, "pass\n" * count) == lines


@pytest.mark.parametrize(("count", "lines"), [(40, []), (41, [1])])
@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_body_has_40_lines_without_its_docstring(
    keyword: str, count: int, lines: list[int]
) -> None:
    docstring = '    """One.\n\n    Two.\n    """\n'
    text = f"{keyword} f(\n    a,\n):\n{docstring}" + "    pass\n" * count

    assert found(size.long_functions, PATH, text) == lines


def test_the_decorator_of_an_inner_function_counts() -> None:
    text = "def f():\n    @g\n    def h():\n        pass\n" + "    pass\n" * 38

    assert found(size.long_functions, PATH, text) == [1]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ('"""Tells the time."""\n', []),
        ('"""Tells the time, on a\nmonotonic clock."""\n', []),
        ("import time\n", [1]),
        ('"""Tells the time"""\n', [1]),
        ('"""Tells the time. And more."""\n', [1]),
        ('"""Tells the time.\n\nClocks lie. So order never comes from one.\n"""\n', []),
        ('"""Tells the time. And more.\n\nClocks lie.\n"""\n', [1]),
    ],
)
def test_a_module_opens_with_one_sentence(text: str, lines: list[int]) -> None:
    assert found(size.modules_without_an_opening_sentence, PATH, text) == lines
