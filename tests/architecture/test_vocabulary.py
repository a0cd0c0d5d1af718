"""Foundation speaks of no domain, and names say what they name."""

import pytest

from tests.architecture.rules import vocabulary
from tests.architecture.source import demand, found, python_sources, repository

FOUNDATION = "libs/foundation/messaging/outbox.py"


def test_foundation_names_no_context_noun() -> None:
    demand(vocabulary.context_nouns_in_foundation, python_sources())


def test_names_say_what_they_name() -> None:
    demand(vocabulary.names_that_say_nothing, repository())


def test_no_package_shadows_the_standard_library() -> None:
    demand(vocabulary.packages_that_shadow_the_standard_library, python_sources())


@pytest.mark.parametrize(
    "text",
    [
        "order_id = 1",
        "class OrderPlaced: ...",
        'TOPIC = "orders.events"',
        'SOURCE = "/orderly/orders"',
        "def reserve_stock(): ...",
        "from libs.domain.orders import order",
        "class PaymentFailed: ...",
        "skuCount = 1",
        "# A customer waits for this.",
        "SELECT = 'FROM orders.lines'",
    ],
)
def test_a_context_noun_in_foundation_is_found(text: str) -> None:
    assert found(vocabulary.context_nouns_in_foundation, FOUNDATION, text) != []


@pytest.mark.parametrize(
    "text",
    [
        "Messages keep their order, in order of seq.",
        "The relay orders rows by seq.",
        "ORDER BY seq",
        "ordering = sorted(rows)",
        "# Locks are taken in one order: the relay reorders nothing, and nobody else orders.",
        "An application of Orderly: orderly_owner.",
    ],
)
def test_the_order_of_things_is_no_context_noun(text: str) -> None:
    assert found(vocabulary.context_nouns_in_foundation, FOUNDATION, text) == []


def test_the_domain_may_speak_of_itself() -> None:
    path = "libs/domain/orders/order.py"

    assert found(vocabulary.context_nouns_in_foundation, path, "order_id = sku") == []


@pytest.mark.parametrize("path", ["libs/utils.py", "libs/kafka_helpers.py", "libs/common/a.py"])
def test_a_name_that_says_nothing_is_found(path: str) -> None:
    assert found(vocabulary.names_that_say_nothing, path, "") == [1]


def test_a_name_that_only_contains_such_a_word_is_allowed() -> None:
    assert found(vocabulary.names_that_say_nothing, "libs/foundation/database/a.py", "") == []


def test_a_package_at_the_root_that_shadows_the_standard_library_is_found() -> None:
    rule = vocabulary.packages_that_shadow_the_standard_library

    assert found(rule, "platform/a.py", "") == [1]
    assert found(rule, "services/operator/a.py", "") == []
