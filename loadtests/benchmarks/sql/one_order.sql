\set customer random(1, 20000)
\set first random(1, 1000)
\set second random(1, 1000)
SELECT gen_random_uuid() AS order_id, gen_random_uuid() AS key, nextval('orders.order_numbers') AS number \gset
BEGIN;
INSERT INTO web.idempotency_keys (principal, method, route, key, fingerprint, status, headers, body)
VALUES ('machine bench', 'POST', '/v1/orders', :key::uuid::text, sha256(:key::uuid::text::bytea), 201,
    '{"ETag": "v1"}', convert_to(repeat('x', 1200), 'UTF8'))
ON CONFLICT DO NOTHING;
SELECT sku, name, price_minor, currency, active, stock_tracked FROM orders.products
WHERE sku IN ('CD-' || :first::int, 'CD-' || :second::int);
INSERT INTO orders.orders (id, number, customer_id, status, version, currency, taxes_included,
    subtotal_minor, discount_minor, tax_minor, total_minor, payment_provider, payment_source_kind,
    placed_at)
VALUES (:order_id::uuid, :number::bigint, 'c_' || :customer::int, 'pending', 1, 'EUR', true, 1851, 0, 0, 1851,
    'simulator', 'token', now());
INSERT INTO orders.order_lines (order_id, line_no, sku, name, quantity, stock_tracked,
    unit_price_minor, discount_minor, tax_minor, total_minor)
VALUES (:order_id::uuid, 1, 'CD-' || :first::int, 'Disc', 1, true, 617, 0, 0, 617),
    (:order_id::uuid, 2, 'CD-' || :second::int, 'Disc', 2, true, 617, 0, 0, 1234);
INSERT INTO orders.timeline (order_id, sequence, type, at, actor_kind, actor_id, data)
VALUES (:order_id::uuid, 1, 'orders.order_placed.v1', now(), 'machine', 'bench',
    convert_to(repeat('y', 900), 'UTF8'));
INSERT INTO orders.sagas (order_id, step, deadline_at, payment_source, reserve_sent)
VALUES (:order_id::uuid, 'reserve', now() + interval '15 min',
    '{"provider": "simulator", "kind": "token", "value": "tok_good"}', true);
INSERT INTO messaging.outbox (id, aggregatetype, aggregateid, type, topic, partition, source,
    sequence, occurred_at, traceparent, payload)
VALUES (gen_random_uuid(), 'order', :order_id::uuid::text, 'orders.order_placed.v1', 'orders.events', 1,
        '/orderly/orders', 1, now(), '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        convert_to(repeat('y', 900), 'UTF8')),
    (gen_random_uuid(), 'order', :order_id::uuid::text, 'inventory.reserve_stock.v1', 'inventory.commands',
        1, '/orderly/orders', NULL, now(), '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        convert_to(repeat('z', 150), 'UTF8'));
COMMIT;
