"""Orders in the order of their changes: an index, and the moment before which it is final."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Times of other roles' transactions are hidden from those who may not see statistics. The role
# belongs to the whole server, so the way back leaves it the grant. Another database of the server
# may be migrated at this moment: whoever comes second is refused and looks again.
STATISTICS = """
DO $$
DECLARE
    give_up_at timestamptz := clock_timestamp() + interval '30 seconds';
BEGIN
    LOOP
        BEGIN
            IF NOT pg_has_role('orderly_owner', 'pg_read_all_stats', 'USAGE') THEN
                GRANT pg_read_all_stats TO orderly_owner;
            END IF;
            EXIT;
        EXCEPTION
            -- "tuple concurrently updated" is an internal error.
            WHEN unique_violation OR internal_error OR lock_not_available THEN
                IF clock_timestamp() > give_up_at THEN
                    RAISE;
                END IF;
                PERFORM pg_sleep(0.1);
        END;
    END LOOP;
END $$;
"""

# A change is dated when it is made, not when its transaction began: a transaction that is not
# reported as running at some moment can only make changes that are dated later.
CHANGES = """
SET ROLE orderly_owner;
ALTER TABLE orders.orders ALTER COLUMN updated_at SET DEFAULT clock_timestamp();
-- Writes wait for it, which costs nothing before the first release; afterwards an index on a table
-- at work is built concurrently, in a step of its own.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX orders_by_change ON orders.orders (updated_at, id);

CREATE FUNCTION orders.changes_settled_before() RETURNS timestamptz
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT least(now(), min(a.xact_start))
    FROM pg_stat_activity AS a
    JOIN pg_roles AS r ON r.oid = a.usesysid
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
        -- A backup reads for hours as superuser: who has written nothing yet counts only if
        -- writing orders is what its role is for.
        AND (a.backend_xid IS NOT NULL
            OR NOT r.rolsuper AND has_any_column_privilege(r.oid, 'orders.orders', 'UPDATE'));
END;
COMMENT ON FUNCTION orders.changes_settled_before IS
    'Every change dated before it is visible to the next statement. To be called in a statement of
     its own: one that reads as well has its snapshot from before the call.';
REVOKE ALL ON FUNCTION orders.changes_settled_before FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orders.changes_settled_before TO orderly_api;
RESET ROLE;
"""


def upgrade() -> None:
    """Create the index and the function, and date changes by the clock."""
    op.execute(STATISTICS)
    op.execute(CHANGES)


def downgrade() -> None:
    """Drop them, and date changes by their transactions again."""
    op.execute("""
        DROP FUNCTION orders.changes_settled_before;
        DROP INDEX orders.orders_by_change;
        ALTER TABLE orders.orders ALTER COLUMN updated_at SET DEFAULT now();""")
