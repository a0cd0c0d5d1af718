"""The web schema: idempotency keys and their stored responses."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


TABLES = """
CREATE SCHEMA web AUTHORIZATION orderly_owner;
SET ROLE orderly_owner;
CREATE TABLE web.idempotency_keys (
    principal text NOT NULL,
    method text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer,
    headers jsonb,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal, method, route, key)
) WITH (fillfactor = 70);
CREATE INDEX idempotency_keys_created_at ON web.idempotency_keys (created_at);

CREATE FUNCTION web.expire_idempotency_keys(older_than interval, rows_max integer)
RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH gone AS (
        DELETE FROM web.idempotency_keys AS k
        WHERE k.ctid = ANY (ARRAY(
            SELECT e.ctid FROM web.idempotency_keys AS e
            WHERE e.created_at < now() - older_than
            ORDER BY e.created_at LIMIT rows_max FOR UPDATE SKIP LOCKED))
        RETURNING 1)
    SELECT count(*) FROM gone;
END;
RESET ROLE;
"""

RIGHTS = """
SET ROLE orderly_owner;
REVOKE ALL ON FUNCTION web.expire_idempotency_keys FROM PUBLIC;
GRANT USAGE ON SCHEMA web TO orderly_api, orderly_outbox_relay, orderly_reader,
    orderly_operator;
GRANT EXECUTE ON FUNCTION web.expire_idempotency_keys TO orderly_outbox_relay;
-- DELETE gives back the keys of refused requests, in the transaction that claimed them.
GRANT SELECT, INSERT, DELETE, UPDATE (status, headers, body) ON web.idempotency_keys
    TO orderly_api;
-- Stored responses may hold what only their principal may see: support sees keys, not bodies.
GRANT SELECT (principal, method, route, key, status, created_at) ON web.idempotency_keys
    TO orderly_reader, orderly_operator;
RESET ROLE;
"""


def upgrade() -> None:
    """Create the idempotency keys and the function that expires them in chunks."""
    op.execute(TABLES)
    op.execute(RIGHTS)


def downgrade() -> None:
    """Drop the schema."""
    op.execute("DROP SCHEMA web CASCADE")
