"""The functions that step 0013 makes: a step of a replay, and the expiry of what is finished."""

from typing import Final

# One step is one transaction: what it appends or forgets, and where the next one goes on. So a
# relay that dies repeats nothing. A step looks at a bounded number of rows, whatever matches; the
# next one waits until Kafka has what the last one appended, so a replay never builds a backlog.
STEP: Final = """
SET ROLE orderly_owner;
CREATE FUNCTION messaging.step_row_request(
    wanted uuid, rows_max integer, scanned_max integer,
    OUT state text, OUT touched bigint, OUT wait_s double precision
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
    request messaging.operator_requests;
    known messaging.outbox_cursor;
    asked jsonb;
    place jsonb;
    result text;
    since timestamptz;
    until timestamptz;
    kept_since timestamptz;
    topics text[];
    keys text[];
    types text[];
    seqs bigint[];
    ids uuid[];
    scanned bigint;
    scanned_to bigint;
    appended_to bigint;
BEGIN
    touched := 0;
    wait_s := 0;
    SELECT * INTO request FROM messaging.operator_requests
    WHERE id = wanted AND verb IN ('replay', 'forget') AND finished_at IS NULL
    FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        state := 'taken';
        RETURN;
    END IF;
    -- From here on no partition is dropped before this step's position is there to prevent it.
    LOCK TABLE ONLY messaging.outbox IN ACCESS SHARE MODE;
    SELECT * INTO known FROM messaging.outbox_cursor ORDER BY epoch DESC, n DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'messaging.outbox_cursor is empty' USING ERRCODE = 'no_data_found';
    END IF;
    asked := request.row_selection;
    place := request.row_position;
    IF place IS NULL THEN
        SELECT min(to_timestamp(substr(c.relname, 8), 'YYYYMMDD"t"HH24MI')) INTO kept_since
        FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'messaging.outbox'::regclass;
        since := coalesce((asked->>'since')::timestamptz, kept_since);
        IF since < kept_since THEN
            result := format('refused: rows since %s were asked for, and the outbox keeps rows'
                || ' since %s', since, kept_since);
        END IF;
        place := jsonb_build_object('since', since,
            'until', least((asked->>'until')::timestamptz, now()),
            'prev', known.prev::text, 'cur', known.cur::text, 'last_seq', known.last_seq,
            'touched', 0);
        -- From here on rows are found by seq alone: the index by time would be read in vain.
        SELECT place || jsonb_build_object(
            'after_seq', coalesce(min(o.seq) - 1, 0), 'upto_seq', coalesce(max(o.seq), 0))
        INTO place FROM messaging.outbox AS o
        WHERE o.written_at >= date_trunc('hour', (place->>'since')::timestamptz)
            AND o.written_at < date_trunc('hour', (place->>'until')::timestamptz)
                + interval '1 hour';
    END IF;
    since := place->>'since';
    until := place->>'until';
    IF result IS NULL AND place ? 'tid' AND NOT (
        pg_visible_in_snapshot((place->>'tid')::xid8, known.prev)
        OR coalesce(pg_visible_in_snapshot((place->>'tid')::xid8, known.cur)
            AND (place->>'appended_to')::bigint <= known.last_seq, false)) THEN
        state := 'waiting';
        RETURN;
    END IF;
    wait_s := coalesce(
        date_part('epoch', (place->>'due_at')::timestamptz - clock_timestamp()), 0);
    -- A pause longer than the one that was meant comes from a clock that was set back.
    IF result IS NULL AND wait_s > 0 AND wait_s <= (place->>'rest_s')::double precision THEN
        state := 'resting';
        RETURN;
    END IF;
    wait_s := 0;
    IF result IS NULL AND (place->>'is_over')::boolean THEN
        result := format(CASE request.verb WHEN 'replay' THEN 'finished: %s copies were published'
            ELSE 'finished: %s marks were forgotten' END, place->>'touched');
    END IF;
    IF result IS NOT NULL THEN
        UPDATE messaging.operator_requests
        SET row_position = place, outcome = result, finished_at = clock_timestamp()
        WHERE id = request.id;
        state := 'finished';
        RETURN;
    END IF;
    topics := ARRAY(SELECT jsonb_array_elements_text(asked->'topics'));
    keys := ARRAY(SELECT jsonb_array_elements_text(asked->'keys'));
    types := ARRAY(SELECT jsonb_array_elements_text(asked->'types'));
    WITH passed AS MATERIALIZED (
        SELECT o.seq, o.tid, o.id, o.written_at, o.topic, o.aggregateid, o.type, o.replay_request
        FROM messaging.outbox AS o
        WHERE o.seq > (place->>'after_seq')::bigint AND o.seq <= (place->>'upto_seq')::bigint
        ORDER BY o.seq LIMIT scanned_max),
    chosen AS MATERIALIZED (
        SELECT p.seq, p.id FROM passed AS p
        WHERE p.replay_request IS NULL AND p.written_at >= since AND p.written_at < until
            AND (topics = '{}' OR p.topic = ANY (topics))
            AND (keys = '{}' OR p.aggregateid = ANY (keys))
            AND (types = '{}' OR p.type = ANY (types))
            AND (pg_visible_in_snapshot(p.tid, (place->>'prev')::pg_snapshot)
                OR coalesce(pg_visible_in_snapshot(p.tid, (place->>'cur')::pg_snapshot)
                    AND p.seq <= (place->>'last_seq')::bigint, false))
            AND NOT EXISTS (SELECT FROM messaging.outbox_parked_rows AS held
                WHERE held.seq = p.seq AND held.resolution IS DISTINCT FROM 'released')
        ORDER BY p.seq LIMIT rows_max)
    SELECT (SELECT count(*) FROM passed), (SELECT max(p.seq) FROM passed AS p),
        coalesce(array_agg(c.seq ORDER BY c.seq), '{}'),
        coalesce(array_agg(c.id ORDER BY c.seq), '{}')
    INTO scanned, scanned_to, seqs, ids FROM chosen AS c;
    IF request.verb = 'replay' THEN
        WITH copies AS (
            INSERT INTO messaging.outbox (id, aggregatetype, aggregateid, type, topic, partition,
                source, sequence, occurred_at, traceparent, payload, replay, replay_request)
            SELECT o.id, o.aggregatetype, o.aggregateid, o.type, o.topic, o.partition, o.source,
                o.sequence, o.occurred_at, o.traceparent, o.payload, true, request.id
            FROM unnest(seqs) AS chosen (seq) CROSS JOIN LATERAL (
                SELECT * FROM messaging.outbox AS found
                WHERE found.seq = chosen.seq OFFSET 0) AS o
            ORDER BY chosen.seq
            RETURNING seq)
        SELECT count(*), max(c.seq) INTO touched, appended_to FROM copies AS c;
    ELSE
        -- A message that waits in the parking is claimed for the run of its queue.
        DELETE FROM messaging.inbox AS mark
        WHERE mark.consumer = asked->>'consumer' AND mark.event_id = ANY (ids)
            AND NOT EXISTS (SELECT FROM messaging.parked_messages AS waits
                WHERE waits.consumer = mark.consumer AND waits.event_id = mark.event_id
                    AND waits.resolution IS NULL);
        GET DIAGNOSTICS touched = ROW_COUNT;
    END IF;
    place := place || jsonb_build_object(
        'after_seq', CASE WHEN cardinality(seqs) = rows_max THEN seqs[rows_max]
            ELSE coalesce(scanned_to, (place->>'upto_seq')::bigint) END,
        'touched', (place->>'touched')::bigint + touched,
        'is_over', scanned < scanned_max AND cardinality(seqs) < rows_max,
        'rest_s', touched / (asked->>'rate_per_s')::double precision,
        'due_at', clock_timestamp()
            + touched / (asked->>'rate_per_s')::double precision * interval '1 second');
    IF appended_to IS NOT NULL THEN
        place := place || jsonb_build_object(
            'tid', pg_current_xact_id()::text, 'appended_to', appended_to);
    END IF;
    UPDATE messaging.operator_requests
    SET row_position = place, outcome = format('running: %s so far', place->>'touched')
    WHERE id = request.id;
    state := 'stepped';
END $$;

CREATE FUNCTION messaging.expire_finished(older_than interval, rows_max integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH requests AS (
        DELETE FROM messaging.operator_requests AS q WHERE q.ctid = ANY (ARRAY(
            SELECT e.ctid FROM messaging.operator_requests AS e
            WHERE e.finished_at < now() - greatest(older_than, interval '14 days')
            ORDER BY e.finished_at LIMIT rows_max FOR UPDATE SKIP LOCKED))
        RETURNING 1),
    messages AS (
        DELETE FROM messaging.parked_messages AS m WHERE m.ctid = ANY (ARRAY(
            SELECT e.ctid FROM messaging.parked_messages AS e
            WHERE e.resolution IS NOT NULL
                AND e.resolved_at < now() - greatest(older_than, interval '14 days')
            ORDER BY e.resolved_at LIMIT rows_max FOR UPDATE SKIP LOCKED))
        RETURNING 1),
    held_back AS (
        DELETE FROM messaging.outbox_parked_rows AS r WHERE r.ctid = ANY (ARRAY(
            SELECT e.ctid FROM messaging.outbox_parked_rows AS e
            WHERE e.resolution IS NOT NULL
                AND e.resolved_at < now() - greatest(older_than, interval '14 days')
            ORDER BY e.resolved_at LIMIT rows_max FOR UPDATE SKIP LOCKED))
        RETURNING 1)
    SELECT (SELECT count(*) FROM requests) + (SELECT count(*) FROM messages)
        + (SELECT count(*) FROM held_back);
END;
RESET ROLE;
"""
