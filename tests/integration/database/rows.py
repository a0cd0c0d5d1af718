"""At least one row for every table, as an installation at work has them."""

from typing import Final, LiteralString

ROWS: Final[LiteralString] = """
    INSERT INTO orders.products (sku, name, price_minor, currency, active, stock_tracked)
    VALUES ('TEE', 'T-shirt', 2000, 'EUR', true, true);
    INSERT INTO orders.orders (id, number, customer_id, status, version, currency, taxes_included,
        subtotal_minor, discount_minor, tax_minor, total_minor, payment_provider,
        payment_source_kind, placed_at)
    SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
        nextval('orders.order_numbers'), 'ada', 'pending', 1, 'EUR', true, 2000, 0, 0, 2000,
        'simulator', 'token', now()
    FROM generate_series(1, 50) AS n;
    INSERT INTO orders.order_lines (order_id, line_no, sku, name, quantity, stock_tracked,
        unit_price_minor, discount_minor, tax_minor, total_minor)
    SELECT id, 1, 'TEE', 'T-shirt', 1, true, 2000, 0, 0, 2000 FROM orders.orders;
    INSERT INTO orders.contacts SELECT id, '{"email": "ada@example.org"}' FROM orders.orders;
    INSERT INTO orders.cancellations
    SELECT gen_random_uuid(), id, 'changed_mind', '[]', 2000, now() FROM orders.orders;
    INSERT INTO orders.timeline (order_id, sequence, type, at, actor_kind, data)
    SELECT id, 1, 'orders.order_placed.v1', now(), 'customer', '{}' FROM orders.orders;
    INSERT INTO orders.shipments (id, order_id, state, lines, shipping_value_minor, amount_minor,
        requested_at, late_at)
    SELECT gen_random_uuid(), id, 'awaiting_capture', '[]', 0, 2000, now(), now()
    FROM orders.orders;
    INSERT INTO orders.refunds (id, order_id, state, attempt, reason, lines, shipping_minor,
        adjustment_minor, amount_minor, tax_minor, requested_at, late_at)
    SELECT gen_random_uuid(), id, 'pending', 1, 'return', '[]', 0, 0, 2000, 0, now(), now()
    FROM orders.orders;
    INSERT INTO orders.sagas (order_id, step, deadline_at, payment_source)
    SELECT id, 'reserve', now(), '{"value": "tok_good"}' FROM orders.orders;

    INSERT INTO inventory.stock (sku, on_hand, reserved) VALUES ('TEE', 100, 50);
    INSERT INTO inventory.movements (id, sku, kind, on_hand_delta, reserved_delta, reference)
    SELECT gen_random_uuid(), 'TEE', 'reserve', 0, 1, id FROM orders.orders;
    INSERT INTO inventory.reservations (order_id, state, sequence)
    SELECT id, 'held', 1 FROM orders.orders;
    INSERT INTO inventory.reservation_items (order_id, sku, quantity)
    SELECT id, 'TEE', 1 FROM orders.orders;

    INSERT INTO payments.payments
        (order_id, provider, source_kind, state, currency, planned_minor, sequence)
    SELECT id, 'simulator', 'token', 'pending', 'EUR', 2000, 1 FROM orders.orders;
    INSERT INTO payments.operations (key, order_id, provider, kind, subject_id, amount_minor,
        currency, source_value, state, next_at)
    SELECT gen_random_uuid(), id, 'simulator', 'authorise', id, 2000, 'EUR', 'tok_good', 'queued',
        now()
    FROM orders.orders;
    INSERT INTO payments.reductions (order_id, reduction_id)
    SELECT id, gen_random_uuid() FROM orders.orders;
    INSERT INTO payments.webhooks (provider, event_id, body) VALUES ('simulator', 'evt_1', '{}');
    INSERT INTO payments.reconciliations (id, provider, since, outcome, finished_at)
    VALUES ('00000000-0000-7000-8000-000000000001', 'simulator', now(), 'finished', now());
    INSERT INTO payments.reconciliation_differences (reconciliation_id, kind, subject)
    SELECT id, 'unknown_there', 'one' FROM payments.reconciliations;

    INSERT INTO web.idempotency_keys (principal, method, route, key, fingerprint, status, body)
    SELECT 'ada', 'POST', '/v1/orders', id::text, '', 201, '{}' FROM orders.orders;

    INSERT INTO web.quota_buckets
        (principal, spent_until_us, granted, asked_at_us, interval_us, window_us)
    VALUES ('customer:ada', 2000000, 1, 1000000, 1000000, 60000000);

    INSERT INTO messaging.outbox
        (id, aggregatetype, aggregateid, type, topic, partition, source, occurred_at, payload)
    SELECT gen_random_uuid(), 'order', id::text, 'orders.order_placed.v1', 'orders.events', 0,
        '/orderly/orders', now(), '{}'
    FROM orders.orders;
    INSERT INTO messaging.outbox_parked_keys (topic, key, reason)
    VALUES ('orders.events', 'one', 'too-large');
    INSERT INTO messaging.outbox_parked_rows (seq, id, aggregatetype, aggregateid, type, topic,
        partition, source, occurred_at, payload)
    VALUES (1, gen_random_uuid(), 'order', 'one', 'orders.order_placed.v1', 'orders.events', 0,
        '/orderly/orders', now(), '{}');
    INSERT INTO messaging.inbox (consumer, event_id)
    VALUES ('orders-worker', messaging.first_id_at(now()));
    INSERT INTO messaging.parked_keys (consumer, topic, key, reason)
    VALUES ('orders-worker', 'inventory.events', 'one', 'undecodable');
    INSERT INTO messaging.parked_messages (consumer, topic, key, partition, log_offset, headers,
        error_code, error, attempts)
    VALUES ('orders-worker', 'inventory.events', 'one', 0, 1, '[]', 'undecodable', 'no JSON', 1);
    INSERT INTO messaging.operator_requests (id, owner, verb, requested_by, reason)
    VALUES (gen_random_uuid(), 'outbox-relay', 'handover', 'ada', 'maintenance');
    INSERT INTO messaging.upkeep_rounds (chore, begun_at) VALUES ('make_outbox', now());
    INSERT INTO messaging.operator_request_items (request_id, position, owner, topic, key, of_many)
    SELECT id, 1, 'outbox-relay', 'orders.events', 'one', false FROM messaging.operator_requests;
    INSERT INTO messaging.parked_attempts (message_id, process, release, outcome, error_class)
    SELECT id, 'host:1', '0.1.0+1', 'failed', 'poison' FROM messaging.parked_messages;
    INSERT INTO messaging.parked_attempts (outbox_seq, process, release, outcome)
    SELECT seq, 'host:1', '0.1.0+1', 'skipped' FROM messaging.outbox_parked_rows;
    INSERT INTO messaging.parking_stops (consumer, process, keys_max)
    VALUES ('orders-worker', 'host:1', 20)"""
