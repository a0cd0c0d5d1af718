"""SQL, the environment, commits, producers and sleeps stand where they belong."""

import pytest

from tests.architecture.rules import placement
from tests.architecture.source import Rule, demand, found, python_sources

RULES = [
    placement.sql_outside_its_folder,
    placement.sql_that_is_no_constant,
    placement.arrays_sent_as_text,
    placement.environment_outside_mains,
    placement.commits_outside_transactions,
    placement.producers_outside_the_relay,
    placement.sleeps_in_tests,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_everything_stands_where_it_belongs(rule: Rule) -> None:
    demand(rule, python_sources())


@pytest.mark.parametrize(
    "statement",
    [
        'q = "SELECT 1"',
        'q = "\\n    UPDATE orders.orders SET status = 1"',
        'q = "with due as (select id from t) delete from t using due"',
        'q = f"insert into {table} (id) values (1)"',
        'q = f"DELETE FROM {table}"',
        'q = "ALTER ROLE api PASSWORD"',
    ],
)
def test_sql_outside_its_folder_is_found(statement: str) -> None:
    path = "libs/domain/orders/use_cases/place.py"

    assert found(placement.sql_outside_its_folder, path, statement) == [1]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("libs/domain/orders/sql/orders.py", 'q = "SELECT 1"'),
        ("migrations/versions/0001_first.py", 'q = "CREATE TABLE t ()"'),
        ("libs/domain/orders/place.py", '"""Select the rows from which orders are made."""'),
        ("libs/domain/orders/place.py", 'error = "with three attempts left"'),
        ("libs/domain/orders/place.py", 'error = "Update the settings and select another port"'),
    ],
)
def test_prose_and_sql_in_its_folder_are_allowed(path: str, text: str) -> None:
    assert found(placement.sql_outside_its_folder, path, text) == []


def test_sql_that_is_not_a_constant_of_its_module_is_found() -> None:
    text = '_A: Final = "SELECT 1"\n_B = "SELECT 2"\ndef f():\n    return f"SELECT {x}"\n'

    assert found(placement.sql_that_is_no_constant, "libs/domain/orders/sql/a.py", text) == [2, 4]


def test_an_array_that_is_sent_as_text_is_found() -> None:
    text = '_A: Final = "SELECT 1 = ANY(%(ids)s::bigint[])"\n_B: Final = "SELECT %(id)b::uuid[]"\n'

    assert found(placement.arrays_sent_as_text, "libs/domain/orders/sql/a.py", text) == [1]


@pytest.mark.parametrize("text", ["import os\nos.environ['A']", "import os\nos.getenv('A')"])
def test_reading_the_environment_outside_a_main_is_found(text: str) -> None:
    assert found(placement.environment_outside_mains, "libs/foundation/a.py", text) == [2]
    assert found(placement.environment_outside_mains, "services/api/__main__.py", text) == []


def test_importing_the_environment_is_found() -> None:
    text = "from os import environ"

    assert found(placement.environment_outside_mains, "services/api/app.py", text) == [1]


def test_a_commit_or_rollback_is_found() -> None:
    text = "connection.commit()\ntx.rollback()\nawait consumer.commit(offsets)\n"

    assert found(placement.commits_outside_transactions, "services/api/app.py", text) == [1, 2]


def test_committing_is_allowed_where_transactions_are_made() -> None:
    path = "libs/foundation/database/transaction.py"

    assert found(placement.commits_outside_transactions, path, "connection.commit()") == []


@pytest.mark.parametrize(
    "text",
    ["from aiokafka import AIOKafkaProducer", "from confluent_kafka import Producer"],
)
def test_a_producer_outside_the_relay_is_found(text: str) -> None:
    rule = placement.producers_outside_the_relay

    assert found(rule, "libs/domain/orders/consumers.py", text) == [1]
    assert found(rule, "libs/foundation/messaging/relay/publish.py", text) == []


def test_a_producer_reached_through_its_package_is_found() -> None:
    text = "import aiokafka\nproducer = aiokafka.AIOKafkaProducer()\n"

    assert found(placement.producers_outside_the_relay, "services/api/app.py", text) == [2]


@pytest.mark.parametrize(
    "call",
    ["time.sleep(1)", "await asyncio.sleep(0.1)", "sleep(delay)", "asyncio.sleep(delay=1)"],
)
def test_a_sleep_in_a_test_is_found(call: str) -> None:
    assert found(placement.sleeps_in_tests, "tests/unit/test_a.py", call) == [1]


def test_yielding_to_the_event_loop_is_no_sleep() -> None:
    assert found(placement.sleeps_in_tests, "tests/unit/test_a.py", "await asyncio.sleep(0)") == []
