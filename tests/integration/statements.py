"""Plans of the product's statements, as the server makes them before it sees a parameter."""

import re
from types import ModuleType

import psycopg

_PARAMETER = re.compile(r"%\(\w+\)[sb]")
_SCAN = re.compile(r"Seq Scan on (\w+)")


def sequential_scans(url: str, modules: tuple[ModuleType, ...]) -> dict[str, list[str]]:
    """Return which statements of `modules` read a whole table under a generic plan."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(url) as connection:
        for module in modules:
            for name, statement in vars(module).items():
                if name.isupper() and isinstance(statement, str):
                    plan = _generic_plan(connection, statement)
                    found[f"{module.__name__}.{name}"] = _SCAN.findall(plan)
    return {name: tables for name, tables in found.items() if tables}


def _generic_plan(connection: psycopg.Connection, statement: str) -> str:
    numbers = iter(range(1, 1_000))
    numbered = _PARAMETER.sub(lambda _: f"${next(numbers)}", statement)
    rows = connection.execute(f"EXPLAIN (GENERIC_PLAN) {numbered}".encode()).fetchall()
    return "\n".join(line for (line,) in rows)
