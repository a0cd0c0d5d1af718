"""The inventory schema: stock, reservations and the ledger of movements."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE SCHEMA inventory AUTHORIZATION orderly_owner;
SET ROLE orderly_owner;
CREATE TABLE inventory.stock (
    sku text PRIMARY KEY,
    on_hand bigint NOT NULL CHECK (on_hand BETWEEN 0 AND 1000000000),
    reserved bigint NOT NULL DEFAULT 0,
    sequence bigint NOT NULL DEFAULT 0,
    CHECK (reserved BETWEEN 0 AND on_hand)
) WITH (fillfactor = 50);

-- UNIQUE (kind, reference, sku) makes every movement idempotent for ever.
CREATE TABLE inventory.movements (
    id uuid PRIMARY KEY,
    sku text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('adjust', 'reserve', 'release', 'ship', 'return')),
    on_hand_delta bigint NOT NULL,
    reserved_delta bigint NOT NULL,
    reference uuid NOT NULL,
    note text,
    reason text,
    at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, reference, sku)
);
CREATE INDEX movements_by_sku ON inventory.movements (sku, id);

CREATE TABLE inventory.reservations (
    order_id uuid PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('new', 'held', 'rejected', 'closed')),
    sequence bigint NOT NULL,
    answer_type text,
    answer bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((answer_type IS NULL) = (answer IS NULL))
) WITH (fillfactor = 80);
COMMENT ON COLUMN inventory.reservations.state IS
    'new only inside the transaction that claims the row: no reader sees it.';
COMMENT ON COLUMN inventory.reservations.answer IS
    'The body that answered reserve_stock: a repeat of the command gets the same one.';
CREATE TABLE inventory.reservation_items (
    order_id uuid NOT NULL REFERENCES inventory.reservations,
    sku text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    shipped bigint NOT NULL DEFAULT 0,
    released bigint NOT NULL DEFAULT 0,
    returned bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (order_id, sku),
    CHECK (shipped >= 0 AND released >= 0 AND shipped + released <= quantity),
    CHECK (returned BETWEEN 0 AND shipped)
) WITH (fillfactor = 80);
-- Which orders hold a SKU: what a refused adjustment tells, and what the ledger is checked by.
CREATE INDEX reservation_items_open ON inventory.reservation_items (sku)
    WHERE shipped + released < quantity;
RESET ROLE;
"""

RIGHTS = """
SET ROLE orderly_owner;
GRANT USAGE ON SCHEMA inventory TO orderly_api, orderly_worker_inventory, orderly_reader,
    orderly_operator;
GRANT SELECT ON ALL TABLES IN SCHEMA inventory TO orderly_api, orderly_worker_inventory,
    orderly_reader, orderly_operator;
GRANT INSERT (sku, on_hand) ON inventory.stock TO orderly_api;
GRANT INSERT (id, sku, kind, reference, on_hand_delta, reserved_delta, reason, note)
    ON inventory.movements TO orderly_api, orderly_worker_inventory;
GRANT UPDATE (on_hand, sequence) ON inventory.stock TO orderly_api;
GRANT INSERT (order_id, state, sequence) ON inventory.reservations
    TO orderly_worker_inventory;
GRANT INSERT (order_id, sku, quantity, shipped, released) ON inventory.reservation_items
    TO orderly_worker_inventory;
GRANT UPDATE (reserved, sequence) ON inventory.stock TO orderly_worker_inventory;
GRANT UPDATE (state, sequence, answer_type, answer, updated_at) ON inventory.reservations
    TO orderly_worker_inventory;
GRANT UPDATE (shipped, released) ON inventory.reservation_items
    TO orderly_worker_inventory;
RESET ROLE;
"""


def upgrade() -> None:
    """Create the inventory schema and its rights."""
    op.execute(TABLES)
    op.execute(RIGHTS)


def downgrade() -> None:
    """Drop the schema."""
    op.execute("DROP SCHEMA inventory CASCADE")
