"""Inbox, parked keys and messages, and operators' requests."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = """
SET ROLE orderly_owner;
CREATE TABLE messaging.inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
) PARTITION BY RANGE (event_id);
COMMENT ON TABLE messaging.inbox IS
    'Partitioned on the UUIDv7 itself: by claim day one event could be claimed twice at midnight.';

CREATE TABLE messaging.parked_keys (
    consumer text NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, key)
);
CREATE TABLE messaging.parked_messages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    partition integer NOT NULL,
    log_offset bigint NOT NULL,
    event_id uuid,
    type text,
    headers jsonb NOT NULL,
    body bytea,
    error_code text NOT NULL,
    error text NOT NULL,
    attempts integer NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    resolution text CHECK (resolution IN ('retried', 'skipped')),
    resolved_at timestamptz,
    -- A record without a trustworthy id is known by its position; one with an id by both, since a
    -- topic that is made anew starts again at offset 0.
    UNIQUE NULLS NOT DISTINCT (consumer, topic, partition, log_offset, event_id)
);
CREATE INDEX parked_messages_open ON messaging.parked_messages (consumer, topic, key, id)
    WHERE resolution IS NULL;

CREATE TABLE messaging.operator_requests (
    id uuid PRIMARY KEY,
    owner text NOT NULL,
    verb text NOT NULL CHECK (verb IN ('retry', 'skip', 'reanchor', 'handover')),
    topic text,
    key text,
    requested_by text NOT NULL,
    reason text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    outcome text
);
CREATE INDEX operator_requests_open ON messaging.operator_requests (owner, requested_at)
    WHERE finished_at IS NULL;
RESET ROLE;
"""

# Ranges are half-open days in UTC. A partition that exists is left alone.
PARTITIONS = """
SET ROLE orderly_owner;
CREATE FUNCTION messaging.first_id_at(moment timestamptz) RETURNS uuid
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0')
    || repeat('0', 20))::uuid;

CREATE FUNCTION messaging.make_inbox_partitions(first timestamptz, ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '50ms'
AS $$
DECLARE
    made integer := 0;
    lower_bound timestamptz;
    child text;
BEGIN
    FOR i IN 0..ahead LOOP
        lower_bound := date_trunc('day', first) + i * interval '1 day';
        child := format('inbox_%s', to_char(lower_bound, 'YYYYMMDD'));
        IF to_regclass(format('messaging.%I', child)) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE messaging.%I PARTITION OF messaging.inbox
                 FOR VALUES FROM (%L) TO (%L)',
                child, messaging.first_id_at(lower_bound),
                messaging.first_id_at(lower_bound + interval '1 day'));
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;

SELECT messaging.make_inbox_partitions(now() - interval '8 days', 10);
RESET ROLE;
"""

RIGHTS = """
SET ROLE orderly_owner;
REVOKE ALL ON FUNCTION messaging.first_id_at, messaging.make_inbox_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION messaging.first_id_at, messaging.make_inbox_partitions
    TO orderly_outbox_relay;
GRANT SELECT ON messaging.inbox, messaging.parked_keys, messaging.operator_requests
    TO orderly_reader, orderly_operator, orderly_worker_orders, orderly_worker_inventory,
    orderly_worker_payments;
GRANT SELECT ON messaging.parked_messages TO orderly_worker_orders, orderly_worker_inventory,
    orderly_worker_payments;
-- A body may carry what pays for something: people see what failed and why, never that.
GRANT SELECT (id, consumer, topic, key, partition, log_offset, event_id, type, headers, error_code,
    error, attempts, parked_at, resolution, resolved_at) ON messaging.parked_messages
    TO orderly_reader, orderly_operator;

GRANT INSERT (consumer, event_id) ON messaging.inbox
    TO orderly_worker_orders, orderly_worker_inventory, orderly_worker_payments;
-- To lock a row, even FOR SHARE, takes the right to update one of its columns.
GRANT INSERT (consumer, topic, key, reason), DELETE, UPDATE (reason) ON messaging.parked_keys
    TO orderly_worker_orders, orderly_worker_inventory, orderly_worker_payments;
GRANT INSERT (consumer, topic, key, partition, log_offset, event_id, type, headers, body,
    error_code, error, attempts),
    UPDATE (attempts, error_code, error, resolution, resolved_at) ON messaging.parked_messages
    TO orderly_worker_orders, orderly_worker_inventory, orderly_worker_payments;

GRANT SELECT ON messaging.operator_requests TO orderly_outbox_relay;
GRANT UPDATE (finished_at, outcome) ON messaging.operator_requests TO orderly_outbox_relay,
    orderly_worker_orders, orderly_worker_inventory, orderly_worker_payments;
GRANT INSERT (id, owner, verb, topic, key, requested_by, reason) ON messaging.operator_requests
    TO orderly_operator;
RESET ROLE;
"""


def upgrade() -> None:
    """Create what consumers keep."""
    for part in (TABLES, PARTITIONS, RIGHTS):
        op.execute(part)


def downgrade() -> None:
    """Drop it: every message that is read again afterwards takes effect again."""
    op.execute("DROP FUNCTION messaging.make_inbox_partitions, messaging.first_id_at")
    op.execute("""DROP TABLE messaging.inbox, messaging.parked_keys, messaging.parked_messages,
        messaging.operator_requests""")
