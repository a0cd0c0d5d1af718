"""Imports follow the layers."""

import pytest

from tests.architecture.rules import layers
from tests.architecture.source import demand, found, python_sources


def test_imports_follow_the_layers() -> None:
    demand(layers.imports_against_the_layers, python_sources())


def test_contracts_need_no_library_but_msgspec() -> None:
    demand(layers.contracts_that_import_libraries, python_sources())


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("libs/foundation/clock.py", "from libs.contracts import orders"),
        ("libs/foundation/clock.py", "import libs.domain.orders"),
        ("libs/foundation/clock.py", "from libs import domain"),
        ("libs/contracts/orders.py", "from libs.foundation import ids"),
        ("libs/domain/orders/order.py", "from libs.domain.payments import sql"),
        ("libs/domain/orders/order.py", "from libs.domain import payments"),
        ("libs/domain/orders/order.py", "from services.api import app"),
        ("libs/domain/money.py", "from libs.domain.orders import order"),
        ("libs/domain/orders/order.py", "from libs.domain.operations.installation import READERS"),
        ("libs/testkit/build.py", "from services.api import app"),
        ("libs/testkit/build.py", "from tests.unit import example"),
        ("services/api/__main__.py", "from services.worker import table"),
        ("services/api/__main__.py", "from libs.testkit import build"),
        ("deploy/local/stack.py", "from services.api import app"),
        ("loadtests/demo/replay.py", "from libs.domain.orders import order"),
        ("migrations/versions/0001_first.py", "from libs.contracts import orders"),
    ],
)
def test_an_import_against_the_layers_is_found(path: str, line: str) -> None:
    assert found(layers.imports_against_the_layers, path, line) == [1]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("libs/foundation/clock.py", "from libs.foundation.messaging import outbox"),
        ("libs/foundation/clock.py", "import asyncio, psycopg"),
        ("libs/domain/orders/order.py", "from libs.contracts import payments"),
        ("libs/domain/orders/order.py", "from libs.domain.orders.sql import orders"),
        (
            "libs/domain/operations/installation.py",
            "from libs.domain.orders import routes",
        ),
        ("services/api/__main__.py", "from libs.domain.orders import routes"),
        ("services/api/__main__.py", "from services.api import app"),
        ("libs/testkit/build.py", "from deploy.local import postgres"),
        ("tests/unit/test_order.py", "from libs.testkit import build"),
        ("loadtests/demo/replay.py", "from deploy.local import stack"),
    ],
)
def test_an_import_along_the_layers_is_allowed(path: str, line: str) -> None:
    assert found(layers.imports_against_the_layers, path, line) == []


def test_a_contract_that_imports_a_library_is_found() -> None:
    text = "import msgspec\nfrom uuid import UUID\nfrom pydantic import BaseModel\n"

    assert found(layers.contracts_that_import_libraries, "libs/contracts/orders.py", text) == [3]
