-- One wave of the inventory worker: 500 commands of two items each, nothing refused.
-- The first statement stands for what the worker reads from Kafka.
SELECT
    '{' || string_agg(c.event_id::text, ',') || '}' AS event_ids,
    '{' || string_agg(c.order_id::text, ',') || '}' AS order_ids,
    '{' || string_agg(c.first || ',' || c.second, ',') || '}' AS skus,
    '{' || string_agg(c.order_id || ',' || c.order_id, ',') || '}' AS item_order_ids
FROM (
    SELECT uuidv7() AS event_id, uuidv7() AS order_id,
        'CD-' || (1 + floor(random() * 500))::int AS first,
        'CD-' || (501 + floor(random() * 500))::int AS second
    FROM generate_series(1, 500)
) AS c \gset
BEGIN;
INSERT INTO messaging.inbox (consumer, event_id)
SELECT 'inventory-worker', event_id
FROM unnest(:event_ids::text::uuid[]) WITH ORDINALITY AS new (event_id, position)
ORDER BY position
ON CONFLICT DO NOTHING;
INSERT INTO inventory.reservations (order_id, state, sequence)
SELECT order_id, 'new', 0 FROM unnest(:order_ids::text::uuid[]) AS wanted (order_id)
ORDER BY order_id
ON CONFLICT (order_id) DO NOTHING;
SELECT order_id, state, sequence, answer_type, answer FROM inventory.reservations
WHERE order_id = ANY(:order_ids::text::uuid[]) ORDER BY order_id FOR NO KEY UPDATE;
SELECT sku, on_hand, reserved, sequence FROM inventory.stock
WHERE sku = ANY(:skus::text::text[]) ORDER BY sku FOR NO KEY UPDATE;
INSERT INTO inventory.movements (id, sku, kind, reference, on_hand_delta, reserved_delta)
SELECT uuidv7(), sku, 'reserve', order_id, 0, 1
FROM unnest(:item_order_ids::text::uuid[], :skus::text::text[]) AS new (order_id, sku);
UPDATE inventory.stock AS s
SET on_hand = s.on_hand, reserved = s.reserved + c.quantity, sequence = s.sequence + 1
FROM (SELECT sku, count(*) AS quantity FROM unnest(:skus::text::text[]) AS wanted (sku)
    GROUP BY sku) AS c
WHERE s.sku = c.sku;
UPDATE inventory.reservations AS r
SET state = 'held', sequence = 1, answer_type = 'inventory.stock_reserved.v1',
    answer = convert_to(repeat('y', 51), 'UTF8'), updated_at = now()
FROM unnest(:order_ids::text::uuid[]) AS c (order_id)
WHERE r.order_id = c.order_id;
INSERT INTO inventory.reservation_items (order_id, sku, quantity, shipped, released, returned)
SELECT order_id, sku, 1, 0, 0, 0
FROM unnest(:item_order_ids::text::uuid[], :skus::text::text[]) AS new (order_id, sku)
ON CONFLICT (order_id, sku)
    DO UPDATE SET shipped = excluded.shipped, released = excluded.released,
        returned = excluded.returned;
INSERT INTO messaging.outbox (id, aggregatetype, aggregateid, type, topic, partition, source,
    sequence, occurred_at, traceparent, payload)
SELECT uuidv7(), 'reservation', order_id::text, 'inventory.stock_reserved.v1', 'inventory.events',
    1, '/orderly/inventory', 1, now(), '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    convert_to(repeat('y', 51), 'UTF8')
FROM unnest(:order_ids::text::uuid[]) AS new (order_id);
COMMIT;
