"""Where SQL, the environment, commits, producers and sleeps may stand."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.architecture.rules.layers import imported
from tests.architecture.source import Finding, Source

_UPPER: Final = re.compile(
    r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE|ALTER|DROP|TRUNCATE|GRANT|REVOKE|MERGE"
    r"|COPY|LOCK|VACUUM|ANALYZE|SET LOCAL|SET SESSION|SET ROLE|SHOW|VALUES|CALL|DO)\s"
)
_ANY_CASE: Final = re.compile(
    r"\s*(select\s.+\sfrom\s|insert\s+into\s+\S+\s*(\(|values|select)|delete\s+from\s+\S+\s+where\s"
    r"|update\s+\S+\s+set\s+\w+\s*=|with\s+(recursive\s+)?\w+\s+as\s*(materialized\s*)?\()",
    re.IGNORECASE | re.DOTALL,
)
_TEXT_ARRAY: Final = re.compile(r"%\(\w+\)s::\w+\[\]")
_FREE_OF_SQL_RULES: Final = ("tests", "migrations")


def sql_outside_its_folder(source: Source) -> Iterator[Finding]:
    if source.within(*_FREE_OF_SQL_RULES) or "sql" in source.parts[:-1]:
        return
    for text in _statements(source):
        yield source.at(text, "SQL: move it to a module in the part's sql/ folder and call that")


def sql_that_is_no_constant(source: Source) -> Iterator[Finding]:
    if source.within(*_FREE_OF_SQL_RULES) or "sql" not in source.parts[:-1]:
        return
    constants = {
        id(text)
        for statement in source.tree.body
        if isinstance(statement, ast.AnnAssign) and "Final" in ast.unparse(statement.annotation)
        for text in ast.walk(statement)
    }
    for text in _statements(source):
        if id(text) not in constants:
            yield source.at(text, "SQL inside a function: make it a module-level `_NAME: Final`")


def arrays_sent_as_text(source: Source) -> Iterator[Finding]:
    if source.within(*_FREE_OF_SQL_RULES) or "sql" not in source.parts[:-1]:
        return
    for node in source.nodes():
        if isinstance(node, ast.Constant) and _TEXT_ARRAY.search(str(node.value)):
            yield source.at(node, "an array as text is quoted item by item: write %(name)b::type[]")


def environment_outside_mains(source: Source) -> Iterator[Finding]:
    is_main = source.within("services") and source.parts[-1] == "__main__.py"
    if is_main or source.within("deploy", "loadtests", "libs/testkit", "tests"):
        return
    for node in source.nodes():
        if isinstance(node, ast.Attribute) and ast.unparse(node) in _ENVIRONMENT:
            yield source.at(node, _READ_SETTINGS)
    for node, name in imported(source):
        if name in _ENVIRONMENT:
            yield source.at(node, _READ_SETTINGS)


_ENVIRONMENT: Final = frozenset({"os.environ", "os.environb", "os.getenv", "os.putenv"})
_READ_SETTINGS: Final = (
    "the environment is read once, in a main: add a field to the settings and pass it in"
)


def commits_outside_transactions(source: Source) -> Iterator[Finding]:
    # env.py ends the transaction in which it set Alembic's limits; no use case ever runs there.
    if source.within("tests", "libs/foundation/database", "migrations/env.py"):
        return
    for node in source.nodes():
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        # Kafka's commit takes the offsets; a database's takes nothing.
        ends = node.func.attr == "rollback" or (node.func.attr == "commit" and not node.args)
        if ends and not any(keyword.arg == "offsets" for keyword in node.keywords):
            yield source.at(node, "open the transaction with `async with transaction(pool) as tx`")


def producers_outside_the_relay(source: Source) -> Iterator[Finding]:
    if source.within("tests", "loadtests", "libs/testkit", *_RELAY):
        return
    for node, name in imported(source):
        if name.split(".")[-1] in {"AIOKafkaProducer", "KafkaProducer", "Producer"}:
            yield source.at(node, "only the relay writes to Kafka: append to the outbox instead")
    for node in source.nodes():
        if isinstance(node, ast.Attribute) and node.attr == "AIOKafkaProducer":
            yield source.at(node, "only the relay writes to Kafka: append to the outbox instead")


_RELAY: Final = (
    "libs/foundation/messaging/relay",
    "libs/foundation/messaging/relay.py",
    "services/outbox_relay",
)


def sleeps_in_tests(source: Source) -> Iterator[Finding]:
    if not source.within("tests"):
        return
    for node in source.nodes():
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sleep":
            durations = [*node.args, *(keyword.value for keyword in node.keywords)]
            if [ast.unparse(duration) for duration in durations] != ["0"]:
                yield source.at(node, "wait on a signal, or on a condition with a deadline")


def _statements(source: Source) -> Iterator[ast.expr]:
    # Docstrings are prose; the pieces of an f-string are read together, as one text.
    skipped = {
        id(part)
        for node in source.nodes()
        if isinstance(node, ast.Expr | ast.JoinedStr)
        for part in ast.iter_child_nodes(node)
    }
    for node in source.nodes():
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in skipped:
            text = _text(node)
            if _UPPER.match(text) or _ANY_CASE.match(text):
                yield node


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value) for value in node.values)
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "placeholder"
