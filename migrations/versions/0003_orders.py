"""The orders schema: products, orders with their lines, contact, timeline and saga."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
CREATE SCHEMA orders AUTHORIZATION orderly_owner;
SET ROLE orderly_owner;

CREATE TABLE orders.products (
    sku text PRIMARY KEY,
    name text NOT NULL,
    price_minor bigint CHECK (price_minor >= 0),
    currency text,
    active boolean NOT NULL,
    stock_tracked boolean NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((price_minor IS NULL) = (currency IS NULL))
);

CREATE SEQUENCE orders.order_numbers START 100000;
CREATE TABLE orders.orders (
    id uuid PRIMARY KEY,
    number bigint NOT NULL UNIQUE,
    external_reference text,
    customer_id text,
    channel text,
    status text NOT NULL CHECK (status IN
        ('pending', 'confirmed', 'shipped', 'completed', 'rejected', 'cancelled', 'refunded')),
    version bigint NOT NULL,
    currency text NOT NULL,
    taxes_included boolean NOT NULL,
    subtotal_minor bigint NOT NULL,
    discount_minor bigint NOT NULL,
    tax_minor bigint NOT NULL,
    total_minor bigint NOT NULL CHECK (total_minor BETWEEN 0 AND 999999999999),
    shipping_method text,
    shipping_amount_minor bigint NOT NULL DEFAULT 0,
    shipping_tax_minor bigint NOT NULL DEFAULT 0,
    shipping_total_minor bigint NOT NULL DEFAULT 0,
    destination_country text,
    destination_region text,
    payment_provider text NOT NULL,
    payment_source_kind text NOT NULL CHECK (payment_source_kind IN ('token', 'authorisation')),
    payment_status text NOT NULL DEFAULT 'none',
    authorised_minor bigint NOT NULL DEFAULT 0,
    captured_minor bigint NOT NULL DEFAULT 0,
    released_minor bigint NOT NULL DEFAULT 0,
    returned_minor bigint NOT NULL DEFAULT 0,
    refunded_minor bigint NOT NULL DEFAULT 0,
    capture_before timestamptz,
    rejection jsonb,
    attention text[] NOT NULL DEFAULT '{}',
    metadata jsonb NOT NULL DEFAULT '{}',
    placed_at timestamptz NOT NULL,
    confirmed_at timestamptz,
    closed_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX orders_external_reference ON orders.orders (external_reference)
    WHERE status <> 'rejected';
CREATE INDEX orders_by_customer ON orders.orders (customer_id, id) WHERE customer_id IS NOT NULL;
CREATE INDEX orders_with_attention ON orders.orders (id) WHERE attention <> '{}';

CREATE TABLE orders.order_lines (
    order_id uuid NOT NULL REFERENCES orders.orders,
    line_no integer NOT NULL,
    sku text NOT NULL,
    name text NOT NULL,
    quantity integer NOT NULL CHECK (quantity BETWEEN 1 AND 9999),
    stock_tracked boolean NOT NULL,
    unit_price_minor bigint NOT NULL,
    discount_minor bigint NOT NULL,
    tax_minor bigint NOT NULL,
    total_minor bigint NOT NULL,
    shipped integer NOT NULL DEFAULT 0,
    cancelled integer NOT NULL DEFAULT 0,
    refunded integer NOT NULL DEFAULT 0,
    restocked integer NOT NULL DEFAULT 0,
    PRIMARY KEY (order_id, line_no),
    CHECK (shipped >= 0 AND cancelled >= 0 AND shipped + cancelled <= quantity),
    CHECK (refunded BETWEEN 0 AND shipped),
    CHECK (restocked BETWEEN 0 AND refunded)
);

-- Personal data lives here and nowhere else.
CREATE TABLE orders.contacts (
    order_id uuid PRIMARY KEY REFERENCES orders.orders,
    contact jsonb NOT NULL
);

CREATE TABLE orders.cancellations (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders.orders,
    reason text NOT NULL,
    lines jsonb NOT NULL,
    value_minor bigint NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX cancellations_by_order ON orders.cancellations (order_id);

-- The order's events plus who did it; kept as long as the order. Sequence = version = ETag.
CREATE TABLE orders.timeline (
    order_id uuid NOT NULL REFERENCES orders.orders,
    sequence bigint NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    actor_kind text NOT NULL
        CHECK (actor_kind IN ('customer', 'staff', 'machine', 'provider', 'system')),
    actor_id text,
    reason text,
    data bytea NOT NULL,
    PRIMARY KEY (order_id, sequence)
);

CREATE TABLE orders.sagas (
    order_id uuid PRIMARY KEY REFERENCES orders.orders,
    step text NOT NULL CHECK (step IN
        ('reserve', 'authorise', 'confirmed', 'compensate', 'done')),
    deadline_at timestamptz,
    payment_source jsonb,
    reserve_sent boolean NOT NULL DEFAULT false,
    authorise_sent boolean NOT NULL DEFAULT false,
    release_id uuid,
    release_done boolean NOT NULL DEFAULT false,
    reduction_id uuid,
    reduction_done boolean NOT NULL DEFAULT false,
    started_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 80);
CREATE INDEX sagas_due ON orders.sagas (deadline_at) WHERE deadline_at IS NOT NULL;
RESET ROLE;
"""

RIGHTS = """
SET ROLE orderly_owner;
GRANT USAGE ON SCHEMA orders TO orderly_api, orderly_worker_orders, orderly_reader,
    orderly_operator;
GRANT SELECT ON ALL TABLES IN SCHEMA orders TO orderly_api;
GRANT SELECT ON orders.products, orders.orders, orders.order_lines, orders.cancellations,
    orders.timeline, orders.sagas TO orderly_worker_orders;
-- People read what happened, neither who it happened to nor what pays for it.
GRANT SELECT ON orders.products, orders.orders, orders.order_lines, orders.cancellations,
    orders.timeline TO orderly_reader, orderly_operator;
GRANT SELECT (order_id, step, deadline_at, reserve_sent, authorise_sent, release_id, release_done,
    reduction_id, reduction_done, started_at, updated_at) ON orders.sagas
    TO orderly_reader, orderly_operator;
GRANT USAGE ON SEQUENCE orders.order_numbers TO orderly_api;
GRANT INSERT, UPDATE (name, price_minor, currency, active, stock_tracked, version, updated_at)
    ON orders.products TO orderly_api;
GRANT INSERT ON orders.orders, orders.order_lines, orders.contacts, orders.cancellations,
    orders.timeline, orders.sagas TO orderly_api;
GRANT INSERT ON orders.timeline TO orderly_worker_orders;
GRANT UPDATE (status, version, payment_status, authorised_minor, captured_minor, released_minor,
    returned_minor, refunded_minor, capture_before, rejection, attention, confirmed_at, closed_at,
    updated_at) ON orders.orders TO orderly_api, orderly_worker_orders;
GRANT UPDATE (shipped, cancelled, refunded, restocked) ON orders.order_lines TO orderly_api,
    orderly_worker_orders;
GRANT UPDATE (step, deadline_at, payment_source, authorise_sent, release_id, release_done,
    reduction_id, reduction_done, updated_at) ON orders.sagas TO orderly_api,
    orderly_worker_orders;
RESET ROLE;
"""


def upgrade() -> None:
    """Create the orders schema and its rights."""
    op.execute(TABLES)
    op.execute(RIGHTS)


def downgrade() -> None:
    """Drop the schema."""
    op.execute("DROP SCHEMA orders CASCADE")
