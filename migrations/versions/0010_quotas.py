"""Quota buckets: how much of its quota each principal has spent."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLES = """
SET ROLE orderly_owner;
CREATE UNLOGGED TABLE web.quota_buckets (
    principal text PRIMARY KEY,
    spent_until_us bigint NOT NULL,
    granted bigint NOT NULL,
    asked_at_us bigint NOT NULL,
    interval_us bigint NOT NULL CHECK (interval_us > 0),
    window_us bigint NOT NULL CHECK (window_us >= interval_us)
) WITH (fillfactor = 70);
COMMENT ON TABLE web.quota_buckets IS
    'Microseconds of the database clock. A bucket whose spent_until_us has passed is full, as one
without a row is: after a crash every bucket is full, and no allotment waits for a disk.';
CREATE INDEX quota_buckets_spent_until ON web.quota_buckets (spent_until_us);

CREATE FUNCTION web.expire_quota_buckets(rows_max integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH gone AS (
        DELETE FROM web.quota_buckets AS b
        WHERE b.ctid = ANY (ARRAY(
            SELECT e.ctid FROM web.quota_buckets AS e
            WHERE e.spent_until_us < (extract(epoch FROM now()) * 1000000)::bigint
            ORDER BY e.spent_until_us LIMIT rows_max FOR UPDATE SKIP LOCKED))
        RETURNING 1)
    SELECT count(*) FROM gone;
END;
RESET ROLE;
"""

RIGHTS = """
SET ROLE orderly_owner;
REVOKE ALL ON FUNCTION web.expire_quota_buckets FROM PUBLIC;
GRANT EXECUTE ON FUNCTION web.expire_quota_buckets TO orderly_outbox_relay;
GRANT SELECT, INSERT, UPDATE (spent_until_us, granted, asked_at_us, interval_us, window_us)
    ON web.quota_buckets TO orderly_api;
GRANT SELECT ON web.quota_buckets TO orderly_reader, orderly_operator;
RESET ROLE;
"""


def upgrade() -> None:
    """Create the buckets and the function that deletes those that are full."""
    op.execute(TABLES)
    op.execute(RIGHTS)


def downgrade() -> None:
    """Drop them: every principal has its whole quota again."""
    op.execute("DROP FUNCTION web.expire_quota_buckets")
    op.execute("DROP TABLE web.quota_buckets")
