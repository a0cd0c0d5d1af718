"""Shipments, refunds, and stock that leaves and comes back."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = """
SET ROLE orderly_owner;
CREATE TABLE orders.shipments (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders.orders,
    state text NOT NULL CHECK (state IN ('awaiting_capture', 'released', 'failed')),
    lines jsonb NOT NULL,
    shipping_value_minor bigint NOT NULL CHECK (shipping_value_minor >= 0),
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    requested_at timestamptz NOT NULL,
    released_at timestamptz,
    failure_code text,
    stock_sent boolean NOT NULL DEFAULT false,
    stock_done boolean NOT NULL DEFAULT false,
    late_at timestamptz,
    CHECK ((state = 'released') = (released_at IS NOT NULL)),
    CHECK ((state = 'failed') = (failure_code IS NOT NULL)),
    CHECK (stock_sent OR NOT stock_done)
) WITH (fillfactor = 80);
CREATE INDEX shipments_by_order ON orders.shipments (order_id);
-- Units leave from the front of a line: a second capture would not know where the first one ends.
CREATE UNIQUE INDEX shipments_awaiting_capture ON orders.shipments (order_id)
    WHERE state = 'awaiting_capture';
CREATE INDEX shipments_due ON orders.shipments (late_at) WHERE late_at IS NOT NULL;

CREATE TABLE orders.refunds (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders.orders,
    state text NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed', 'settled_manually')),
    attempt integer NOT NULL CHECK (attempt >= 1),
    reason text NOT NULL,
    lines jsonb NOT NULL,
    shipping_minor bigint NOT NULL CHECK (shipping_minor >= 0),
    adjustment_minor bigint NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    tax_minor bigint NOT NULL CHECK (tax_minor >= 0),
    requested_at timestamptz NOT NULL,
    failure_code text,
    stock_sent boolean NOT NULL DEFAULT false,
    stock_done boolean NOT NULL DEFAULT false,
    late_at timestamptz,
    note text,
    settlement_note text,
    CHECK (state <> 'failed' OR failure_code IS NOT NULL),
    CHECK (stock_sent OR NOT stock_done)
) WITH (fillfactor = 80);
COMMENT ON COLUMN orders.refunds.note IS
    'Personal data, like settlement_note: in no event, timeline, stored response or log.';
CREATE INDEX refunds_by_order ON orders.refunds (order_id);
CREATE INDEX refunds_due ON orders.refunds (late_at) WHERE late_at IS NOT NULL;

ALTER TABLE orders.sagas ADD COLUMN shipped_at timestamptz;
COMMENT ON COLUMN orders.sagas.shipped_at IS
    'The last release, for as long as the order waits to be completed.';
-- Wider than before: no row fails it, and it is checked in one short scan.
-- squawk-ignore ban-drop-constraint
ALTER TABLE orders.sagas DROP CONSTRAINT sagas_step_check;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE orders.sagas ADD CONSTRAINT sagas_step_check CHECK (step IN
    ('reserve', 'authorise', 'confirmed', 'shipped', 'compensate', 'done'));
-- No row is in it yet: one scan, in the transaction of the step.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX sagas_shipped ON orders.sagas (shipped_at) WHERE shipped_at IS NOT NULL;

-- A return may overtake the shipment it undoes; both together leave the same stock.
-- squawk-ignore ban-drop-constraint
ALTER TABLE inventory.reservation_items DROP CONSTRAINT reservation_items_check1;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE inventory.reservation_items ADD CONSTRAINT reservation_items_returned_check
    CHECK (returned BETWEEN 0 AND quantity - released);
RESET ROLE;
"""

RIGHTS = """
SET ROLE orderly_owner;
GRANT SELECT, INSERT ON orders.shipments, orders.refunds TO orderly_api;
GRANT SELECT ON orders.shipments TO orderly_worker_orders, orderly_reader, orderly_operator;
-- Notes name people: a worker and its observers have no need of them.
GRANT SELECT (id, order_id, state, attempt, reason, lines, shipping_minor, adjustment_minor,
    amount_minor, tax_minor, requested_at, failure_code, stock_sent, stock_done, late_at)
    ON orders.refunds TO orderly_worker_orders, orderly_reader, orderly_operator;
GRANT UPDATE (state, released_at, failure_code, stock_sent, stock_done, late_at)
    ON orders.shipments TO orderly_worker_orders;
GRANT UPDATE (state, attempt, failure_code, stock_done, late_at) ON orders.refunds
    TO orderly_api, orderly_worker_orders;
GRANT UPDATE (settlement_note) ON orders.refunds TO orderly_api;
GRANT UPDATE (shipped_at) ON orders.sagas TO orderly_api, orderly_worker_orders;
GRANT SELECT (shipped_at) ON orders.sagas TO orderly_reader, orderly_operator;
GRANT UPDATE (on_hand) ON inventory.stock TO orderly_worker_inventory;
GRANT INSERT (returned), UPDATE (returned) ON inventory.reservation_items
    TO orderly_worker_inventory;
RESET ROLE;
"""

REMOVAL = """
SET ROLE orderly_owner;
REVOKE UPDATE (on_hand) ON inventory.stock FROM orderly_worker_inventory;
REVOKE INSERT (returned), UPDATE (returned) ON inventory.reservation_items
    FROM orderly_worker_inventory;
ALTER TABLE inventory.reservation_items DROP CONSTRAINT reservation_items_returned_check;
ALTER TABLE inventory.reservation_items ADD CONSTRAINT reservation_items_check1
    CHECK (returned BETWEEN 0 AND shipped);
UPDATE orders.sagas SET step = 'confirmed' WHERE step = 'shipped';
ALTER TABLE orders.sagas DROP CONSTRAINT sagas_step_check;
ALTER TABLE orders.sagas ADD CONSTRAINT sagas_step_check CHECK (step IN
    ('reserve', 'authorise', 'confirmed', 'compensate', 'done'));
ALTER TABLE orders.sagas DROP COLUMN shipped_at;
DROP TABLE orders.refunds, orders.shipments;
RESET ROLE;
"""


def upgrade() -> None:
    """Create what shipping and refunding write, and the rights to it."""
    op.execute(TABLES)
    op.execute(RIGHTS)


def downgrade() -> None:
    """Drop it: orders keep their counters and statuses, shipments and refunds are gone."""
    op.execute(REMOVAL)
