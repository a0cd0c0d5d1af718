"""Attempts and fingerprints of parked messages, requests for many keys, and stops of parking."""

from typing import Final

from alembic import op

from migrations.row_requests import STEP

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

COLUMNS = """
SET ROLE orderly_owner;
-- What its newest failure has in common with others; null until a message has failed itself.
ALTER TABLE messaging.parked_messages ADD COLUMN fingerprint text;
ALTER TABLE messaging.outbox_parked_rows ADD COLUMN fingerprint text, ADD COLUMN error_code text,
    ADD COLUMN attempts integer NOT NULL DEFAULT 0;
-- Which keys a request is about, as it was asked; null when it names one.
ALTER TABLE messaging.operator_requests ADD COLUMN key_selection jsonb;
-- squawk-ignore ban-drop-constraint
ALTER TABLE messaging.operator_requests DROP CONSTRAINT operator_requests_verb_check;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE messaging.operator_requests ADD CONSTRAINT operator_requests_verb_check
    CHECK (verb IN ('retry', 'skip', 'reanchor', 'handover', 'reconcile', 'replay',
        'forget', 'stop', 'resume'));
RESET ROLE;
"""

TABLES = """
SET ROLE orderly_owner;
CREATE TABLE messaging.parked_attempts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id bigint REFERENCES messaging.parked_messages (id) ON DELETE CASCADE,
    outbox_seq bigint REFERENCES messaging.outbox_parked_rows (seq) ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    process text NOT NULL,
    release text NOT NULL,
    request_id uuid,
    outcome text NOT NULL CHECK (outcome IN ('failed', 'succeeded', 'skipped')),
    error_class text,
    error_code text,
    error_type text,
    frame text,
    error text,
    fingerprint text,
    CHECK (num_nonnulls(message_id, outbox_seq) = 1),
    CHECK ((outcome = 'failed') = (error_class IS NOT NULL))
);
COMMENT ON TABLE messaging.parked_attempts IS
    'Only added to: no retry overwrites what an earlier attempt failed of.';
CREATE INDEX parked_attempts_message ON messaging.parked_attempts (message_id, id);
CREATE INDEX parked_attempts_outbox_row ON messaging.parked_attempts (outbox_seq, id);

CREATE TABLE messaging.operator_request_items (
    request_id uuid NOT NULL REFERENCES messaging.operator_requests (id) ON DELETE CASCADE,
    position integer NOT NULL,
    owner text NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    head bigint,
    of_many boolean NOT NULL,
    handled bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    finished_at timestamptz,
    result text CHECK (result IN ('done', 'stopped', 'refused')),
    outcome text,
    PRIMARY KEY (request_id, position),
    CHECK ((finished_at IS NULL) = (result IS NULL))
);
COMMENT ON COLUMN messaging.operator_request_items.head IS
    'The first message of the queue when it was asked for: a skip is about this one alone.';
CREATE INDEX operator_request_items_owner ON messaging.operator_request_items
    (owner, of_many, request_id, position) WHERE finished_at IS NULL;
CREATE INDEX operator_request_items_open ON messaging.operator_request_items (request_id)
    WHERE finished_at IS NULL;
CREATE INDEX operator_request_items_key ON messaging.operator_request_items (topic, key)
    WHERE finished_at IS NULL;

CREATE TABLE messaging.parking_stops (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    process text NOT NULL,
    keys_max integer NOT NULL,
    stopped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    resumed_at timestamptz,
    request_id uuid
);
COMMENT ON TABLE messaging.parking_stops IS
    'A process that parks no more; one not seen lately has ended, and its stop with it.';
CREATE INDEX parking_stops_open ON messaging.parking_stops (consumer, stopped_at)
    WHERE resumed_at IS NULL;
RESET ROLE;
"""

RIGHTS = """
SET ROLE orderly_owner;
GRANT SELECT ON messaging.parked_attempts, messaging.operator_request_items,
    messaging.parking_stops TO orderly_reader, orderly_operator;
GRANT SELECT ON messaging.operator_request_items TO orderly_outbox_relay, orderly_worker_orders,
    orderly_worker_inventory, orderly_worker_payments;
GRANT SELECT ON messaging.parking_stops TO orderly_worker_orders, orderly_worker_inventory,
    orderly_worker_payments;

GRANT INSERT (message_id, at, process, release, request_id, outcome, error_class, error_code,
    error_type, frame, error, fingerprint) ON messaging.parked_attempts
    TO orderly_worker_orders, orderly_worker_inventory, orderly_worker_payments;
GRANT INSERT (outbox_seq, at, process, release, request_id, outcome, error_class, error_code,
    error_type, frame, error, fingerprint) ON messaging.parked_attempts TO orderly_outbox_relay;
GRANT INSERT (fingerprint), UPDATE (fingerprint) ON messaging.parked_messages
    TO orderly_worker_orders, orderly_worker_inventory, orderly_worker_payments;
GRANT UPDATE (fingerprint, error_code, error, attempts) ON messaging.outbox_parked_rows
    TO orderly_outbox_relay;
GRANT SELECT (fingerprint) ON messaging.parked_messages TO orderly_reader, orderly_operator;
GRANT SELECT (fingerprint, error_code, attempts) ON messaging.outbox_parked_rows
    TO orderly_reader, orderly_operator;

GRANT INSERT (key_selection) ON messaging.operator_requests TO orderly_operator;
GRANT INSERT (request_id, position, owner, topic, key, head, of_many)
    ON messaging.operator_request_items TO orderly_operator, orderly_outbox_relay,
    orderly_worker_orders, orderly_worker_inventory, orderly_worker_payments;
GRANT UPDATE (handled, skipped, finished_at, result, outcome) ON messaging.operator_request_items
    TO orderly_outbox_relay, orderly_worker_orders, orderly_worker_inventory,
    orderly_worker_payments;
GRANT INSERT (consumer, process, keys_max), UPDATE (seen_at, resumed_at, request_id)
    ON messaging.parking_stops TO orderly_worker_orders, orderly_worker_inventory,
    orderly_worker_payments;
RESET ROLE;
"""

# Keys that a request for many has not come to stay parked.
UNDO = """
DELETE FROM messaging.operator_requests WHERE verb = 'resume' OR key_selection IS NOT NULL;
ALTER TABLE messaging.operator_requests DROP CONSTRAINT operator_requests_verb_check;
ALTER TABLE messaging.operator_requests ADD CONSTRAINT operator_requests_verb_check
    CHECK (verb IN ('retry', 'skip', 'reanchor', 'handover', 'reconcile', 'replay',
        'forget', 'stop'));
DROP TABLE messaging.parked_attempts, messaging.operator_request_items, messaging.parking_stops;
ALTER TABLE messaging.operator_requests DROP COLUMN key_selection;
ALTER TABLE messaging.outbox_parked_rows DROP COLUMN fingerprint, DROP COLUMN error_code,
    DROP COLUMN attempts;
ALTER TABLE messaging.parked_messages DROP COLUMN fingerprint;
"""


def expiry(*changes: tuple[str, str]) -> str:
    """Return what replaces `expire_finished` by the one of the step before, with `changes`."""
    name = "FUNCTION messaging.expire_finished("
    text = f"SET ROLE orderly_owner;\nCREATE OR REPLACE {name}{STEP.partition(name)[2]}"
    for before, after in changes:
        if text.count(before) != 1:
            raise ValueError(f"found {text.count(before)} times: {before}")
        text = text.replace(before, after)
    return text


STOPS: Final = (
    (
        "    held_back AS (",
        """    stops AS (
        DELETE FROM messaging.parking_stops AS s WHERE s.ctid = ANY (ARRAY(
            SELECT e.ctid FROM messaging.parking_stops AS e
            WHERE coalesce(e.resumed_at, e.seen_at)
                < now() - greatest(older_than, interval '14 days')
            ORDER BY e.id LIMIT rows_max FOR UPDATE SKIP LOCKED))
        RETURNING 1),
    held_back AS (""",
    ),
    (
        "+ (SELECT count(*) FROM held_back)",
        "+ (SELECT count(*) FROM held_back) + (SELECT count(*) FROM stops)",
    ),
)


def upgrade() -> None:
    """Add what the quarantine keeps beside the messages themselves."""
    for part in (COLUMNS, TABLES, RIGHTS, expiry(*STOPS)):
        op.execute(part)


def downgrade() -> None:
    """Drop it: histories, requests for many keys and their results are forgotten."""
    op.execute(expiry())
    op.execute(UNDO)
