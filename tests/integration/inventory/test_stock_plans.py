"""Statements about a wave touch the rows of the wave, however long the ledger is."""

import psycopg

from libs.domain.inventory.sql import movements, reservations, stock
from libs.testkit.databases import Database
from tests.integration.statements import sequential_scans

_HISTORY = """
    INSERT INTO inventory.stock (sku, on_hand, reserved)
    SELECT 'SKU' || n, 1000, 1 FROM generate_series(1, 20000) AS n;
    INSERT INTO inventory.reservations (order_id, state, sequence)
    SELECT gen_random_uuid(), 'held', 1 FROM generate_series(1, 20000);
    INSERT INTO inventory.reservation_items (order_id, sku, quantity)
    SELECT order_id, 'SKU' || row_number() OVER (), 1 FROM inventory.reservations;
    INSERT INTO inventory.movements (id, sku, kind, on_hand_delta, reserved_delta, reference)
    SELECT gen_random_uuid(), sku, 'reserve', 0, 1, order_id FROM inventory.reservation_items;
    ANALYZE inventory.stock, inventory.reservations, inventory.reservation_items,
        inventory.movements"""


def test_no_statement_about_stock_reads_a_whole_table(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        connection.execute(_HISTORY)

    assert sequential_scans(database.url, (stock, reservations, movements)) == {}
