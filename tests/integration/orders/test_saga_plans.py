"""Statements about a wave touch the rows of the wave, however many orders there are."""

import psycopg

from libs.domain.orders.sql import (
    line_changes,
    order_changes,
    orders,
    refunds,
    sagas,
    shipments,
)
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
    INSERT INTO orders.sagas (order_id, step, shipped_at)
    SELECT id, 'shipped', now() FROM orders.orders;
    INSERT INTO orders.cancellations
    SELECT gen_random_uuid(), id, 'other', '[]', 1, now() FROM orders.orders;
    INSERT INTO orders.shipments (id, order_id, state, lines, shipping_value_minor, amount_minor,
        requested_at, released_at, late_at)
    SELECT gen_random_uuid(), id, 'released', '[]', 0, 1, now(), now(), now() FROM orders.orders;
    INSERT INTO orders.refunds (id, order_id, state, attempt, reason, lines, shipping_minor,
        adjustment_minor, amount_minor, tax_minor, requested_at, late_at)
    SELECT gen_random_uuid(), id, 'pending', 1, 'other', '[]', 0, 0, 1, 0, now(), now()
    FROM orders.orders;
    INSERT INTO orders.timeline (order_id, sequence, type, at, actor_kind, data)
    SELECT id, 1, 'orders.order_placed.v1', now(), 'customer', '{}' FROM orders.orders;
    ANALYZE orders.orders, orders.order_lines, orders.sagas, orders.cancellations,
        orders.shipments, orders.refunds, orders.timeline"""


def test_no_statement_of_the_saga_reads_a_whole_table(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(_HISTORY)

    modules = (order_changes, line_changes, orders, refunds, sagas, shipments)
    assert sequential_scans(database.url, modules) == {}
