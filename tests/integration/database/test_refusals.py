"""What PostgreSQL refuses each role, tried out: the list of rights says what should happen."""

from typing import Final, LiteralString

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from libs.testkit.databases import Database

ROLES: Final = (
    "orderly_api",
    "orderly_worker_orders",
    "orderly_worker_inventory",
    "orderly_worker_payments",
    "orderly_outbox_relay",
    "orderly_operator",
    "orderly_reader",
)
_OUTBOX: Final = """
    INSERT INTO messaging.outbox (id, aggregatetype, aggregateid, type, topic, partition, source,
        occurred_at, payload{column})
    {overriding} VALUES (gen_random_uuid(), 'a', 'b', 'c.d.v1', 'a.events', 0, '/a', now(), '{{}}'
        {value})"""
APPEND: Final = _OUTBOX.format(column="", overriding="", value="")
FORGE_SEQ: Final = _OUTBOX.format(
    column=", seq", overriding="OVERRIDING SYSTEM VALUE", value=", 1000000"
)
FORGE_TID: Final = _OUTBOX.format(column=", tid", overriding="", value=", '3'::xid8")
FORGE_TIME: Final = _OUTBOX.format(column=", written_at", overriding="", value=", now()")
FORGE_REPLAY: Final = _OUTBOX.format(column=", replay", overriding="", value=", true")

REFUSED: Final = (
    *((role, FORGE_SEQ) for role in ROLES[:4]),
    *((role, FORGE_TID) for role in ROLES[:4]),
    *((role, FORGE_TIME) for role in ROLES[:4]),
    ("orderly_api", FORGE_REPLAY),
    ("orderly_api", "SELECT seq FROM messaging.outbox"),
    ("orderly_api", "DELETE FROM messaging.outbox"),
    ("orderly_api", "UPDATE orders.timeline SET reason = 'another'"),
    ("orderly_api", "DELETE FROM orders.orders"),
    ("orderly_api", "UPDATE orders.orders SET total_minor = 0"),
    ("orderly_api", "UPDATE inventory.stock SET reserved = 0"),
    ("orderly_api", "SELECT key FROM payments.operations"),
    ("orderly_api", "SELECT messaging.make_time_partitions('outbox', now(), '1 hour', 1)"),
    ("orderly_worker_orders", "SELECT sku FROM inventory.stock"),
    ("orderly_worker_orders", "SELECT key FROM payments.operations"),
    ("orderly_worker_orders", "SELECT key FROM web.idempotency_keys"),
    ("orderly_worker_inventory", "SELECT id FROM orders.orders"),
    ("orderly_worker_inventory", "DELETE FROM inventory.movements"),
    ("orderly_worker_payments", "SELECT order_id FROM orders.sagas"),
    ("orderly_worker_payments", "DELETE FROM payments.operations"),
    ("orderly_worker_payments", "DELETE FROM messaging.inbox"),
    ("orderly_outbox_relay", APPEND),
    ("orderly_outbox_relay", "DELETE FROM messaging.outbox"),
    ("orderly_outbox_relay", "UPDATE messaging.outbox_cursor SET last_seq = 0"),
    ("orderly_outbox_relay", "SELECT key FROM web.idempotency_keys"),
    ("orderly_outbox_relay", "SELECT id FROM orders.orders"),
    ("orderly_operator", "DELETE FROM messaging.parked_messages"),
    ("orderly_operator", "UPDATE messaging.operator_requests SET outcome = 'done'"),
    ("orderly_operator", "UPDATE messaging.schema_contract SET oldest_code_revision = 0"),
    ("orderly_operator", "SELECT payload FROM messaging.outbox"),
    ("orderly_reader", "SELECT payload FROM messaging.outbox"),
    ("orderly_reader", "SELECT payload FROM messaging.outbox_parked_rows"),
    ("orderly_reader", "SELECT body FROM messaging.parked_messages"),
    ("orderly_reader", "SELECT contact FROM orders.contacts"),
    ("orderly_reader", "SELECT payment_source FROM orders.sagas"),
    ("orderly_reader", "SELECT source_value FROM payments.operations"),
    ("orderly_reader", "SELECT body FROM web.idempotency_keys"),
    ("orderly_reader", "UPDATE orders.products SET name = 'another'"),
    ("orderly_reader", "DELETE FROM orders.products"),
    ("orderly_reader", APPEND),
)
# By these a login would become more than its grants, or leave something behind.
REFUSED_TO_ALL: Final[tuple[LiteralString, ...]] = (
    "SET ROLE orderly_owner",
    "CREATE SCHEMA mine",
    "CREATE TABLE messaging.mine (a int)",
    "CREATE TABLE public.mine (a int)",
    "CREATE TEMPORARY TABLE mine (a int)",
    "CREATE ROLE orderly_another",
    "ALTER TABLE messaging.outbox ADD COLUMN mine int",
    "DROP TABLE messaging.schema_contract",
    "TRUNCATE messaging.outbox",
    "COPY messaging.schema_contract TO PROGRAM 'true'",
)


@pytest.mark.parametrize(("role", "statement"), REFUSED)
def test_a_role_is_refused_what_is_not_its_work(
    module_database: Database, role: str, statement: LiteralString
) -> None:
    with (
        psycopg.connect(module_database.url_for(role)) as connection,
        pytest.raises(InsufficientPrivilege),
    ):
        connection.execute(statement)


@pytest.mark.parametrize("role", ROLES)
def test_no_login_becomes_more_than_its_grants(module_database: Database, role: str) -> None:
    with psycopg.connect(module_database.url_for(role), autocommit=True) as connection:
        for statement in REFUSED_TO_ALL:
            with pytest.raises(InsufficientPrivilege):
                connection.execute(statement)


@pytest.mark.parametrize("role", ROLES[:4])
def test_a_writer_appends_without_choosing(module_database: Database, role: str) -> None:
    with psycopg.connect(module_database.url_for(role)) as connection:
        assert connection.execute(APPEND).rowcount == 1
