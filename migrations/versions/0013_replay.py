"""Replays and forgotten inbox marks, what status needs to know, and upkeep by any relay."""

import runpy
from pathlib import Path
from typing import Final

from alembic import op

from migrations.row_requests import STEP

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COLUMNS = """
SET ROLE orderly_owner;
-- Set in the copies a replay makes, and in nothing else: such a row is never copied again.
ALTER TABLE messaging.outbox ADD COLUMN replay_request uuid;
ALTER TABLE messaging.outbox_parked_rows ADD COLUMN replay_request uuid;
ALTER TABLE messaging.outbox_cursor ADD COLUMN passed_rows bigint;
ALTER TABLE messaging.relay_leases ADD COLUMN renewed_at timestamptz;
-- Which rows of the outbox a request is about, and how far it has come.
ALTER TABLE messaging.operator_requests ADD COLUMN row_selection jsonb,
    ADD COLUMN row_position jsonb;
-- squawk-ignore ban-drop-constraint
ALTER TABLE messaging.operator_requests DROP CONSTRAINT operator_requests_verb_check;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE messaging.operator_requests ADD CONSTRAINT operator_requests_verb_check
    CHECK (verb IN ('retry', 'skip', 'reanchor', 'handover', 'reconcile', 'replay',
        'forget', 'stop'));

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX operator_requests_finished ON messaging.operator_requests (finished_at)
    WHERE finished_at IS NOT NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX parked_messages_resolved ON messaging.parked_messages (resolved_at)
    WHERE resolution IS NOT NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX outbox_parked_rows_resolved ON messaging.outbox_parked_rows (resolved_at)
    WHERE resolution IS NOT NULL;

CREATE VIEW messaging.outbox_sizes AS
    SELECT written_at, seq, tid, topic, octet_length(payload) AS bytes FROM messaging.outbox;
COMMENT ON VIEW messaging.outbox_sizes IS 'How large messages are, for who may not read them.';

CREATE TABLE messaging.upkeep_rounds (
    chore text PRIMARY KEY,
    begun_at timestamptz NOT NULL,
    succeeded_at timestamptz,
    steady_since timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);
COMMENT ON TABLE messaging.upkeep_rounds IS
    'Whoever begins a round does the chore. Nothing is dropped until the clock is steady.';
RESET ROLE;
"""

RIGHTS = """
SET ROLE orderly_owner;
REVOKE ALL ON FUNCTION messaging.step_row_request, messaging.expire_finished FROM PUBLIC;
GRANT EXECUTE ON FUNCTION messaging.step_row_request, messaging.expire_finished
    TO orderly_outbox_relay;
GRANT SELECT (replay_request) ON messaging.outbox TO orderly_operator, orderly_reader;
GRANT SELECT (replay_request) ON messaging.outbox_parked_rows TO orderly_operator, orderly_reader;
GRANT SELECT ON messaging.outbox_sizes, messaging.upkeep_rounds
    TO orderly_operator, orderly_reader, orderly_outbox_relay;
GRANT INSERT (passed_rows) ON messaging.outbox_cursor TO orderly_outbox_relay;
GRANT UPDATE (renewed_at) ON messaging.relay_leases TO orderly_outbox_relay;
GRANT INSERT (row_selection) ON messaging.operator_requests TO orderly_operator;
GRANT INSERT, UPDATE ON messaging.upkeep_rounds TO orderly_outbox_relay;
RESET ROLE;
"""

UNDO = """
DELETE FROM messaging.operator_requests WHERE verb IN ('replay', 'forget', 'stop');
ALTER TABLE messaging.operator_requests DROP CONSTRAINT operator_requests_verb_check;
ALTER TABLE messaging.operator_requests ADD CONSTRAINT operator_requests_verb_check
    CHECK (verb IN ('retry', 'skip', 'reanchor', 'handover', 'reconcile')) NOT VALID;
DROP FUNCTION messaging.step_row_request, messaging.expire_finished;
DROP VIEW messaging.outbox_sizes;
DROP TABLE messaging.upkeep_rounds;
DROP INDEX messaging.operator_requests_finished, messaging.parked_messages_resolved,
    messaging.outbox_parked_rows_resolved;
ALTER TABLE messaging.operator_requests DROP COLUMN row_selection, DROP COLUMN row_position;
ALTER TABLE messaging.relay_leases DROP COLUMN renewed_at;
ALTER TABLE messaging.outbox_cursor DROP COLUMN passed_rows;
ALTER TABLE messaging.outbox_parked_rows DROP COLUMN replay_request;
ALTER TABLE messaging.outbox DROP COLUMN replay_request;
"""


def former(step: str, name: str) -> str:
    """Return what an earlier step executed, so that a replaced function reads as before."""
    (file,) = Path(__file__).parent.glob(f"{step}_*.py")
    text: str = runpy.run_path(str(file))[name]
    if "CREATE FUNCTION" not in text:
        raise ValueError(f"step {step} makes no function in {name}")
    # What follows the function, its first call and its rights, happened once.
    body, end, _ = text.partition("END $$;")
    return f"{body}{end}\nRESET ROLE;\n".replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


def changed(text: str, *changes: tuple[str, str]) -> str:
    """Return `text` with each passage replaced; a passage that is not there is a mistake."""
    for before, after in changes:
        if text.count(before) != 1:
            raise ValueError(f"found {text.count(before)} times: {before}")
        text = text.replace(before, after)
    return text


# To attach a table waits for no writer; to create a partition does.
MADE_HOURLY: Final = (
    """'CREATE TABLE messaging.%I PARTITION OF messaging.%I FOR VALUES FROM (%L) TO (%L)',
                child, parent, lower_bound, lower_bound + step);""",
    """'CREATE TABLE messaging.%1$I (LIKE messaging.%2$I INCLUDING DEFAULTS
                    INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE);
                 ALTER TABLE messaging.%2$I ATTACH PARTITION messaging.%1$I
                    FOR VALUES FROM (%3$L) TO (%4$L)',
                child, parent, lower_bound, lower_bound + step);""",
)
MADE_DAILY: Final = (
    """'CREATE TABLE messaging.%I PARTITION OF messaging.inbox
                 FOR VALUES FROM (%L) TO (%L)',""",
    """'CREATE TABLE messaging.%1$I (LIKE messaging.inbox INCLUDING DEFAULTS
                    INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE);
                 ALTER TABLE messaging.inbox ATTACH PARTITION messaging.%1$I
                    FOR VALUES FROM (%2$L) TO (%3$L)',""",
)
# Whoever comes second finds the partitions, instead of failing over a name that is taken.
HOURLY_ONE_AT_A_TIME: Final = (
    "BEGIN\n    ",
    "BEGIN\n    PERFORM pg_advisory_xact_lock(hashtext('messaging.' || parent));\n    ",
)
DAILY_ONE_AT_A_TIME: Final = (
    "BEGIN\n    ",
    "BEGIN\n    PERFORM pg_advisory_xact_lock(hashtext('messaging.inbox'));\n    ",
)
KEPT_FOR_REPLAYS: Final = (
    "    EXECUTE format('DROP TABLE messaging.%I', child);",
    """    IF parent = 'outbox' THEN
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM messaging.operator_requests AS q
                WHERE q.finished_at IS NULL AND q.row_position IS NOT NULL
                    AND (q.row_position->>''since'')::timestamptz < $1
                    AND (q.row_position->>''until'')::timestamptz > $2
                    AND (q.row_position->>''after_seq'')::bigint < (
                        SELECT max(seq) FROM messaging.%I))', child)
        INTO needed USING began_at + span, began_at;
        IF needed THEN
            RAISE EXCEPTION 'messaging.% is still read by a replay', child
                USING ERRCODE = 'object_in_use';
        END IF;
    END IF;
    EXECUTE format('DROP TABLE messaging.%I', child);""",
)
REANCHORED: Final = (
    (
        "traceparent, payload, replay)",
        "traceparent, payload, replay, replay_request)",
    ),
    (
        "occurred_at, traceparent, payload, true\n",
        "occurred_at, traceparent, payload, true, replay_request\n",
    ),
    # What such a request has seen of the outbox means nothing any more.
    (
        "    RETURN replayed;",
        """    UPDATE messaging.operator_requests
    SET finished_at = clock_timestamp(), outcome = 'stopped: the outbox was reanchored'
    WHERE finished_at IS NULL AND row_position IS NOT NULL;
    RETURN replayed;""",
    ),
)


def upgrade() -> None:
    """Add what replays, status and upkeep need, and change the functions that meet them."""
    op.execute(COLUMNS)
    op.execute(STEP)
    op.execute(RIGHTS)
    op.execute(changed(former("0001", "PARTITIONS"), MADE_HOURLY, HOURLY_ONE_AT_A_TIME))
    op.execute(changed(former("0007", "PARTITIONS"), MADE_DAILY, DAILY_ONE_AT_A_TIME))
    op.execute(changed(former("0006", "DROP_PARTITION"), KEPT_FOR_REPLAYS))
    op.execute(changed(former("0006", "REANCHOR"), *REANCHORED))


def downgrade() -> None:
    """Take it back; copies stay in the outbox as rows like any other, requests are forgotten."""
    for step, name in (
        ("0001", "PARTITIONS"),
        ("0007", "PARTITIONS"),
        ("0006", "DROP_PARTITION"),
        ("0006", "REANCHOR"),
    ):
        op.execute(former(step, name))
    op.execute(UNDO)
