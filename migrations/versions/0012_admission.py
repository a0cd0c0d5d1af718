"""What the API asks once a second to know whether it may accept more work."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# Bounded by construction: it looks at no more than a few hundred index entries, however long the
# backlog is, so that it answers fast when the answer matters. A backlog is counted by numbers of
# the sequence, and its bytes by the mean of its first rows.
#
# Without `cur` all that `prev` does not see is unpublished, and its first rows are the first by
# transaction id. With `cur` a backlog is being published, in the order of seq. Rows of a
# transaction that was open when `prev` was taken are left out: they are few, and never old.
#
# In a restored database transaction ids mean nothing and no relay publishes: what was written
# since the newest cursor row waits.
OUTBOX_BACKLOG = """
SET ROLE orderly_owner;
CREATE FUNCTION messaging.outbox_backlog(
    OUT oldest_s double precision, OUT rows bigint, OUT bytes bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_sort = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    sampled_max CONSTANT bigint := 100;
    passed_max CONSTANT bigint := 10000;
    row_overhead_bytes CONSTANT bigint := 300;
    known messaging.outbox_cursor;
    is_foreign boolean;
    sampled bigint;
    sampled_bytes bigint;
    first_seq bigint;
    first_at timestamptz;
BEGIN
    SELECT * INTO known FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'messaging.outbox_cursor is empty' USING ERRCODE = 'no_data_found';
    END IF;
    SELECT s.system_identifier::text <> known.system_identifier OR d.oid <> known.database_oid
    INTO is_foreign
    FROM pg_control_system() AS s, pg_database AS d WHERE d.datname = current_database();
    IF is_foreign THEN
        SELECT count(*), sum(octet_length(payload)), min(seq), min(written_at)
        INTO sampled, sampled_bytes, first_seq, first_at
        FROM (SELECT o.payload, o.seq, o.written_at FROM messaging.outbox AS o
            WHERE o.written_at > known.written_at
            ORDER BY o.written_at LIMIT sampled_max) AS first_rows;
    ELSIF known.cur IS NULL THEN
        SELECT count(*), sum(octet_length(payload)), min(seq), min(written_at)
        INTO sampled, sampled_bytes, first_seq, first_at
        FROM (SELECT o.payload, o.seq, o.written_at FROM messaging.outbox AS o
            WHERE o.tid >= pg_snapshot_xmax(known.prev)
            ORDER BY o.tid LIMIT sampled_max) AS first_rows;
    ELSE
        SELECT count(*), sum(octet_length(payload)), min(seq), min(written_at)
        INTO sampled, sampled_bytes, first_seq, first_at
        FROM (SELECT above.payload, above.seq, above.written_at
            FROM (SELECT o.payload, o.seq, o.written_at, o.tid FROM messaging.outbox AS o
                WHERE o.seq > known.last_seq ORDER BY o.seq LIMIT passed_max) AS above
            WHERE NOT pg_visible_in_snapshot(above.tid, known.prev)
            LIMIT sampled_max) AS first_rows;
    END IF;
    rows := sampled;
    IF sampled = sampled_max THEN
        SELECT greatest(sampled, s.last_value - first_seq + 1) INTO rows
        FROM messaging.outbox_seq_seq AS s;
    END IF;
    oldest_s := coalesce(
        greatest(date_part('epoch', clock_timestamp() - first_at), 0), 0);
    bytes := CASE WHEN sampled = 0 THEN 0
        ELSE rows * (sampled_bytes / sampled + row_overhead_bytes) END;
END $$;
REVOKE ALL ON FUNCTION messaging.outbox_backlog FROM PUBLIC;
GRANT EXECUTE ON FUNCTION messaging.outbox_backlog TO orderly_api;
RESET ROLE;
"""

# An order that people have been called to is theirs: one stuck order must not close the door.
# Built within the step, so that a failure leaves nothing behind: writes of orders wait for it, one
# second for some millions of orders.
PENDING = """
SET ROLE orderly_owner;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX orders_waiting ON orders.orders (placed_at)
    WHERE status = 'pending' AND attention = '{}';
RESET ROLE;
"""


def upgrade() -> None:
    """Create the function and the index."""
    op.execute(OUTBOX_BACKLOG)
    op.execute(PENDING)


def downgrade() -> None:
    """Drop both."""
    op.execute("DROP INDEX orders.orders_waiting")
    op.execute("DROP FUNCTION messaging.outbox_backlog")
