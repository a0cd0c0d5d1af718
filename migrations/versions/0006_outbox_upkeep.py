"""Dropping old partitions, and anchoring a restored outbox anew."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Locks come first and every check after them: a check before the lock misses the row of a writer
# that is still open, and the drop would lose an accepted message.
DROP_PARTITION = """
SET ROLE orderly_owner;
CREATE FUNCTION messaging.drop_old_partition(parent text, keep interval) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '50ms'
AS $$
DECLARE
    child text;
    span interval;
    began_at timestamptz;
    needed boolean := false;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'each check needs a fresh snapshot: use read committed';
    END IF;
    span := CASE parent
        WHEN 'outbox' THEN interval '1 hour'
        WHEN 'outbox_cursor' THEN interval '1 hour'
        WHEN 'inbox' THEN interval '1 day'
    END;
    IF span IS NULL THEN
        RAISE EXCEPTION 'messaging.% has no partitions to drop', parent;
    ELSIF keep < interval '1 hour' THEN
        RAISE EXCEPTION 'keep at least one hour, not %', keep;
    END IF;
    SELECT c.relname INTO child
    FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = format('messaging.%I', parent)::regclass
        AND (parent <> 'outbox_cursor' OR c.oid IS DISTINCT FROM (
            SELECT l.tableoid FROM messaging.outbox_cursor AS l
            ORDER BY l.epoch DESC, l.n DESC LIMIT 1))
    ORDER BY c.relname LIMIT 1;
    IF child IS NULL THEN
        RETURN NULL;
    END IF;
    began_at := to_timestamp(substr(child, char_length(parent) + 2), 'YYYYMMDD"t"HH24MI');
    IF began_at + span > now() - keep THEN
        RETURN NULL;
    END IF;
    EXECUTE format('LOCK TABLE ONLY messaging.%I IN ACCESS EXCLUSIVE MODE', parent);
    EXECUTE format('LOCK TABLE ONLY messaging.%I IN ACCESS EXCLUSIVE MODE', child);
    IF parent = 'outbox' THEN
        EXECUTE format(
            'WITH newest AS (
                SELECT prev FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1)
             SELECT NOT EXISTS (SELECT FROM newest)
                OR EXISTS (SELECT FROM messaging.%1$I
                    WHERE tid >= (SELECT pg_snapshot_xmax(prev) FROM newest))
                OR EXISTS (SELECT FROM newest, pg_snapshot_xip(newest.prev) AS open_then (tid)
                    JOIN messaging.%1$I AS late ON late.tid = open_then.tid)', child) INTO needed;
    ELSIF parent = 'outbox_cursor' THEN
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM messaging.%I WHERE (epoch, n) = (
                SELECT l.epoch, l.n FROM messaging.outbox_cursor AS l
                ORDER BY l.epoch DESC, l.n DESC LIMIT 1))', child) INTO needed;
    END IF;
    IF needed THEN
        RAISE EXCEPTION 'messaging.% is still needed: it holds unpublished rows or the cursor',
            child USING ERRCODE = 'object_in_use';
    END IF;
    EXECUTE format('DROP TABLE messaging.%I', child);
    RETURN child;
END $$;
RESET ROLE;
"""

# The snapshot is taken after the lock, when no writer is open, and before this transaction has an
# id: a snapshot counts its own transaction as visible, and the copies would never be published.
# A row newer than the newest cursor row was never published, whatever its tid says: it may come
# from this cluster, whose ids began anew.
REANCHOR = """
SET ROLE orderly_owner;
CREATE FUNCTION messaging.reanchor_outbox(held_epoch bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET lock_timeout = '5s'
AS $$
DECLARE
    anchor pg_snapshot;
    known messaging.outbox_cursor;
    child text;
    detached text;
    every text[] := '{}';
    replayed bigint := 0;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'each step needs a fresh snapshot: use read committed';
    END IF;
    LOCK TABLE messaging.outbox IN SHARE ROW EXCLUSIVE MODE;
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'this transaction has an id already: call the function alone';
    END IF;
    anchor := pg_current_snapshot();
    PERFORM FROM messaging.relay_leases WHERE name = 'outbox' AND epoch = held_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'epoch % does not hold the lease', held_epoch;
    END IF;
    SELECT * INTO known FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1;
    IF known.written_at > now() THEN
        RAISE EXCEPTION 'the clock is behind the restored cursor (%): wait or correct it',
            known.written_at;
    END IF;
    FOR child IN
        SELECT c.relname FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'messaging.outbox'::regclass ORDER BY c.relname
    LOOP
        detached := format('%s_until_%s', child, held_epoch);
        EXECUTE format('ALTER TABLE messaging.outbox DETACH PARTITION messaging.%I', child);
        EXECUTE format('ALTER TABLE messaging.%I RENAME TO %I', child, detached);
        every := every || format('SELECT * FROM messaging.%I', detached);
    END LOOP;
    PERFORM messaging.make_time_partitions('outbox', now(), '1 hour', 24);
    IF every <> '{}' THEN
        EXECUTE 'INSERT INTO messaging.outbox (id, aggregatetype, aggregateid, type, topic,
                partition, source, sequence, occurred_at, traceparent, payload, replay)
            SELECT id, aggregatetype, aggregateid, type, topic, partition, source, sequence,
                occurred_at, traceparent, payload, true
            FROM (' || array_to_string(every, ' UNION ALL ') || ') AS old
            WHERE ($1).prev IS NULL OR written_at > ($1).written_at
                OR (NOT pg_visible_in_snapshot(tid, ($1).prev) AND NOT (
                    ($1).cur IS NOT NULL AND pg_visible_in_snapshot(tid, ($1).cur)
                    AND seq <= ($1).last_seq))
            ORDER BY seq' USING known;
        GET DIAGNOSTICS replayed = ROW_COUNT;
    END IF;
    PERFORM messaging.make_time_partitions('outbox_cursor', now(), '1 hour', 24);
    INSERT INTO messaging.outbox_cursor
        (epoch, n, prev, cur, last_seq, system_identifier, database_oid, timeline)
    SELECT held_epoch,
        coalesce((SELECT max(l.n) FROM messaging.outbox_cursor AS l WHERE l.epoch = held_epoch), 0)
            + 1,
        anchor, NULL, 0, s.system_identifier::text, d.oid, c.timeline_id
    FROM pg_control_system() AS s, pg_control_checkpoint() AS c, pg_database AS d
    WHERE d.datname = current_database();
    RETURN replayed;
END $$;
REVOKE ALL ON FUNCTION messaging.drop_old_partition, messaging.reanchor_outbox FROM PUBLIC;
GRANT EXECUTE ON FUNCTION messaging.drop_old_partition, messaging.reanchor_outbox
    TO orderly_outbox_relay;
RESET ROLE;
"""


def upgrade() -> None:
    """Create both functions."""
    op.execute(DROP_PARTITION)
    op.execute(REANCHOR)


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP FUNCTION messaging.reanchor_outbox, messaging.drop_old_partition")
