"""Roles, and the messaging schema with the outbox, its cursor and the relay's lease."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Roles belong to the whole server; several databases of one server share them, so the way back
# leaves them. Passwords are set by whoever runs the installation, never here. Another database of
# the server may be migrated at this moment: whoever comes second waits for the first one's commit,
# is refused by PostgreSQL, and looks again.
ROLES = """
DO $$
DECLARE
    login text;
    wanted text[] := ARRAY['transaction_timeout=30s', 'idle_in_transaction_session_timeout=10s',
        'lock_timeout=1s'];
    setting text;
    give_up_at timestamptz := clock_timestamp() + interval '30 seconds';
BEGIN
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'orderly_owner') THEN
                CREATE ROLE orderly_owner NOLOGIN;
            END IF;
            IF NOT (pg_has_role(current_user, 'orderly_owner', 'SET')
                AND pg_has_role(current_user, 'orderly_owner', 'USAGE')) THEN
                EXECUTE format('GRANT orderly_owner TO %I', current_user);
            END IF;
            FOREACH login IN ARRAY ARRAY[
                'orderly_api', 'orderly_worker_orders', 'orderly_worker_inventory',
                'orderly_worker_payments', 'orderly_outbox_relay', 'orderly_operator',
                'orderly_reader'
            ] LOOP
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
                    EXECUTE format('CREATE ROLE %I LOGIN', login);
                END IF;
                FOREACH setting IN ARRAY wanted LOOP
                    CONTINUE WHEN EXISTS (
                        SELECT FROM pg_db_role_setting AS s JOIN pg_roles AS r ON r.oid = s.setrole
                        WHERE s.setdatabase = 0 AND r.rolname = login
                            AND s.setconfig @> ARRAY[setting]);
                    EXECUTE format('ALTER ROLE %I SET %I = %L', login,
                        split_part(setting, '=', 1), split_part(setting, '=', 2));
                END LOOP;
            END LOOP;
            EXIT;
        EXCEPTION
            -- "tuple concurrently updated" is an internal error.
            WHEN unique_violation OR duplicate_object OR internal_error OR lock_not_available THEN
                IF clock_timestamp() > give_up_at THEN
                    RAISE;
                END IF;
                PERFORM pg_sleep(0.1);
        END;
    END LOOP;
END $$;
DO $$
BEGIN
    EXECUTE format('GRANT CREATE ON DATABASE %I TO orderly_owner', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format(
        'GRANT CONNECT ON DATABASE %I TO orderly_api, orderly_worker_orders,
         orderly_worker_inventory, orderly_worker_payments, orderly_outbox_relay,
         orderly_operator, orderly_reader', current_database());
END $$;
"""

OUTBOX = """
CREATE SCHEMA messaging AUTHORIZATION orderly_owner;
SET ROLE orderly_owner;

CREATE TABLE messaging.outbox (
    written_at timestamptz NOT NULL DEFAULT now(),
    seq bigint GENERATED ALWAYS AS IDENTITY (CACHE 1),
    tid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    id uuid NOT NULL,
    aggregatetype text NOT NULL,
    aggregateid text NOT NULL,
    type text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    source text NOT NULL,
    sequence bigint,
    occurred_at timestamptz NOT NULL,
    traceparent text,
    payload bytea NOT NULL,
    replay boolean NOT NULL DEFAULT false,
    PRIMARY KEY (written_at, seq)
) PARTITION BY RANGE (written_at);
COMMENT ON TABLE messaging.outbox IS
    'Insert-only. Order comes from seq, drawn while the row lock of the aggregate is held.';
CREATE INDEX outbox_tid ON messaging.outbox (tid);
CREATE INDEX outbox_seq ON messaging.outbox (seq);

CREATE TABLE messaging.outbox_cursor (
    written_at timestamptz NOT NULL DEFAULT now(),
    epoch bigint NOT NULL,
    n bigint NOT NULL,
    prev pg_snapshot NOT NULL,
    cur pg_snapshot,
    last_seq bigint NOT NULL,
    system_identifier text NOT NULL,
    database_oid oid NOT NULL,
    timeline integer NOT NULL,
    PRIMARY KEY (written_at, epoch, n)
) PARTITION BY RANGE (written_at);
COMMENT ON TABLE messaging.outbox_cursor IS
    'A log: the highest (epoch, n) counts. Rows of the outbox visible in prev are published;
     of those visible in cur and not in prev, the ones up to last_seq.';
CREATE INDEX outbox_cursor_latest ON messaging.outbox_cursor (epoch DESC, n DESC);

CREATE TABLE messaging.relay_leases (
    name text PRIMARY KEY,
    epoch bigint NOT NULL,
    holder text NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 20);
INSERT INTO messaging.relay_leases VALUES ('outbox', 0, 'nobody', '-infinity');

CREATE TABLE messaging.outbox_parked_keys (
    topic text NOT NULL,
    key text NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, key)
);
CREATE TABLE messaging.outbox_parked_rows (
    seq bigint PRIMARY KEY,
    id uuid NOT NULL,
    aggregatetype text NOT NULL,
    aggregateid text NOT NULL,
    type text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    source text NOT NULL,
    sequence bigint,
    occurred_at timestamptz NOT NULL,
    traceparent text,
    payload bytea NOT NULL,
    error text,
    parked_at timestamptz NOT NULL DEFAULT now(),
    resolution text CHECK (resolution IN ('released', 'skipped')),
    resolved_at timestamptz
);
CREATE INDEX outbox_parked_rows_open ON messaging.outbox_parked_rows (topic, aggregateid, seq)
    WHERE resolution IS NULL;

CREATE TABLE messaging.schema_contract (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    oldest_code_revision integer NOT NULL,
    schema_revision integer NOT NULL
);
INSERT INTO messaging.schema_contract VALUES (true, 1, 1);
RESET ROLE;
"""

# Ranges are half-open. Names carry the start in UTC; a partition that exists is left alone.
PARTITIONS = """
SET ROLE orderly_owner;
CREATE FUNCTION messaging.make_time_partitions(
    parent text, first timestamptz, step interval, ahead integer
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '50ms'
AS $$
DECLARE
    made integer := 0;
    lower_bound timestamptz;
    child text;
BEGIN
    IF parent NOT IN ('outbox', 'outbox_cursor') THEN
        RAISE EXCEPTION 'messaging.% is not partitioned by time', parent;
    END IF;
    FOR i IN 0..ahead LOOP
        lower_bound := date_trunc('hour', first) + i * step;
        child := format('%s_%s', parent, to_char(lower_bound, 'YYYYMMDD"t"HH24MI'));
        IF to_regclass(format('messaging.%I', child)) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE messaging.%I PARTITION OF messaging.%I FOR VALUES FROM (%L) TO (%L)',
                child, parent, lower_bound, lower_bound + step);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END $$;

SELECT messaging.make_time_partitions('outbox', now(), '1 hour', 24);
SELECT messaging.make_time_partitions('outbox_cursor', now(), '1 hour', 24);

INSERT INTO messaging.outbox_cursor
    (epoch, n, prev, cur, last_seq, system_identifier, database_oid, timeline)
SELECT 0, 0, pg_current_snapshot(), NULL, 0, s.system_identifier::text, d.oid, c.timeline_id
FROM pg_control_system() AS s, pg_control_checkpoint() AS c, pg_database AS d
WHERE d.datname = current_database();
RESET ROLE;
"""

RIGHTS = """
SET ROLE orderly_owner;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA messaging FROM PUBLIC;
GRANT USAGE ON SCHEMA messaging TO orderly_api, orderly_worker_orders, orderly_worker_inventory,
    orderly_worker_payments, orderly_outbox_relay, orderly_operator, orderly_reader;
GRANT SELECT ON messaging.schema_contract TO orderly_api, orderly_worker_orders,
    orderly_worker_inventory, orderly_worker_payments, orderly_outbox_relay, orderly_operator,
    orderly_reader;

-- A payload may carry what pays for something: people see who sent what and when, never that.
GRANT SELECT ON messaging.outbox_cursor, messaging.relay_leases, messaging.outbox_parked_keys
    TO orderly_operator, orderly_reader;
GRANT SELECT (written_at, seq, tid, id, aggregatetype, aggregateid, type, topic, partition, source,
    sequence, occurred_at, traceparent, replay) ON messaging.outbox
    TO orderly_operator, orderly_reader;
GRANT SELECT (seq, id, aggregatetype, aggregateid, type, topic, partition, source, sequence,
    occurred_at, traceparent, error, parked_at, resolution, resolved_at)
    ON messaging.outbox_parked_rows TO orderly_operator, orderly_reader;

-- No writer may choose seq, tid or written_at: a forged tid would never be published.
GRANT INSERT (id, aggregatetype, aggregateid, type, topic, partition, source, sequence,
    occurred_at, traceparent, payload) ON messaging.outbox
    TO orderly_api, orderly_worker_orders, orderly_worker_inventory, orderly_worker_payments;

GRANT SELECT ON messaging.outbox, messaging.outbox_cursor, messaging.relay_leases,
    messaging.outbox_parked_keys, messaging.outbox_parked_rows TO orderly_outbox_relay;
GRANT INSERT (epoch, n, prev, cur, last_seq, system_identifier, database_oid, timeline)
    ON messaging.outbox_cursor TO orderly_outbox_relay;
GRANT UPDATE (epoch, holder, expires_at) ON messaging.relay_leases TO orderly_outbox_relay;
GRANT INSERT, DELETE ON messaging.outbox_parked_keys TO orderly_outbox_relay;
GRANT INSERT, UPDATE (resolution, resolved_at) ON messaging.outbox_parked_rows
    TO orderly_outbox_relay;
GRANT EXECUTE ON FUNCTION messaging.make_time_partitions TO orderly_outbox_relay;
RESET ROLE;
"""


def upgrade() -> None:
    """Create roles and the messaging schema."""
    for part in (ROLES, OUTBOX, PARTITIONS, RIGHTS):
        op.execute(part)


def downgrade() -> None:
    """Drop the schema; the roles stay, since other databases of the server may use them."""
    op.execute("DROP SCHEMA messaging CASCADE")
