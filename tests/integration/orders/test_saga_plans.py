"""Statements about a wave touch the rows of the wave, however many orders there are."""

import psycopg

from libs.domain.orders.sql import line_changes, order_changes, sagas
from libs.testkit.databases import Database
from tests.integration.statements import sequential_scans

_HISTORY = """
    INSERT INTO orders.orders (id, number, status, version, currency, taxes_included,
        subtotal_minor, discount_minor, tax_minor, total_minor, payment_provider,
        payment_source_kind, placed_at)
    SELECT gen_random_uuid(), n, 'confirmed', 2, 'EUR', true, 1, 0, 0, 1, 'simulator', 'token',
        now()
    FROM generate_series(1, 20000) AS n;
    INSERT INTO orders.order_lines (order_id, line_no, sku, name, quantity, stock_tracked,
        unit_price_minor, discount_minor, tax_minor, total_minor)
    SELECT id, 1, 'TEE', 'The TEE', 1, true, 1, 0, 0, 1 FROM orders.orders;
    INSERT INTO orders.sagas (order_id, step) SELECT id, 'confirmed' FROM orders.orders;
    ANALYZE orders.orders, orders.order_lines, orders.sagas"""


def test_no_statement_of_the_saga_reads_a_whole_table(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(_HISTORY)

    assert sequential_scans(database.url, (order_changes, line_changes, sagas)) == {}
