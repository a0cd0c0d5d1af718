"""Captures and refunds, turns of operations, webhooks, and reconciliation with the provider."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# The wider checks are not validated: what the narrower ones let in fits, and validating locks.
OPERATIONS = """
SET ROLE orderly_owner;
CREATE SEQUENCE payments.turns AS bigint;
COMMENT ON SEQUENCE payments.turns IS
    'Drawn while the payment is locked: operations and reductions of one payment follow it.';
ALTER TABLE payments.operations ADD COLUMN turn bigint,
    ADD COLUMN subject_attempt integer NOT NULL DEFAULT 1;
ALTER TABLE payments.operations ALTER COLUMN turn SET DEFAULT nextval('payments.turns');
-- squawk-ignore ban-drop-constraint
ALTER TABLE payments.operations DROP CONSTRAINT operations_kind_check;
ALTER TABLE payments.operations ADD CONSTRAINT operations_kind_check CHECK
    (kind IN ('authorise', 'adopt', 'capture', 'release', 'return', 'refund')) NOT VALID;
ALTER TABLE payments.reductions ADD COLUMN turn bigint, ADD COLUMN amount_minor bigint;
ALTER TABLE payments.reductions ALTER COLUMN turn SET DEFAULT nextval('payments.turns');
RESET ROLE;
"""

WEBHOOKS = """
SET ROLE orderly_owner;
CREATE TABLE payments.webhooks (
    provider text NOT NULL,
    event_id text NOT NULL,
    body bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    next_at timestamptz DEFAULT now(),
    processed_at timestamptz,
    outcome text,
    PRIMARY KEY (provider, event_id)
) WITH (fillfactor = 70);
COMMENT ON COLUMN payments.webhooks.next_at IS
    'When to read it: null once it was processed. What names no operation yet is read again.';
CREATE INDEX webhooks_due ON payments.webhooks (provider, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX webhooks_processed ON payments.webhooks (processed_at)
    WHERE processed_at IS NOT NULL;
RESET ROLE;
"""

RECONCILIATION = """
SET ROLE orderly_owner;
CREATE TABLE payments.reconciliations (
    id uuid PRIMARY KEY,
    provider text NOT NULL,
    request_id uuid,
    since timestamptz NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    alive_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    outcome text,
    objects integer NOT NULL DEFAULT 0,
    operations integer NOT NULL DEFAULT 0,
    differences integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX reconciliations_one_at_a_time ON payments.reconciliations (provider)
    WHERE finished_at IS NULL;
CREATE INDEX reconciliations_by_start ON payments.reconciliations (provider, started_at);
CREATE TABLE payments.reconciliation_differences (
    reconciliation_id uuid NOT NULL REFERENCES payments.reconciliations,
    kind text NOT NULL CHECK (kind IN
        ('unknown_here', 'unknown_there', 'state_differs', 'amount_differs')),
    subject text NOT NULL,
    operation_key uuid,
    order_id text,
    reference text,
    ours text,
    theirs text,
    PRIMARY KEY (reconciliation_id, kind, subject)
);
-- Payments wait while it is built, some seconds for ten million rows; nobody is answered by them.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX operations_succeeded ON payments.operations (provider, updated_at)
    WHERE state = 'succeeded';

-- squawk-ignore ban-drop-constraint
ALTER TABLE messaging.operator_requests DROP CONSTRAINT operator_requests_verb_check;
ALTER TABLE messaging.operator_requests ADD CONSTRAINT operator_requests_verb_check
    CHECK (verb IN ('retry', 'skip', 'reanchor', 'handover', 'reconcile')) NOT VALID;
RESET ROLE;
"""

RIGHTS = """
SET ROLE orderly_owner;
GRANT USAGE ON SEQUENCE payments.turns TO orderly_worker_payments;
GRANT INSERT (subject_attempt, outcome), UPDATE (target_reference) ON payments.operations
    TO orderly_worker_payments;
GRANT SELECT (turn, subject_attempt) ON payments.operations TO orderly_reader, orderly_operator;
GRANT INSERT (amount_minor) ON payments.reductions TO orderly_worker_payments;

-- The door only adds: what a webhook says is read by the worker alone.
GRANT USAGE ON SCHEMA payments TO orderly_api;
GRANT INSERT (provider, event_id, body) ON payments.webhooks TO orderly_api;
GRANT SELECT, UPDATE (next_at, processed_at, outcome), DELETE ON payments.webhooks
    TO orderly_worker_payments;
GRANT SELECT (provider, event_id, received_at, next_at, processed_at, outcome)
    ON payments.webhooks TO orderly_reader, orderly_operator;

GRANT SELECT ON payments.reconciliations, payments.reconciliation_differences
    TO orderly_worker_payments, orderly_reader, orderly_operator;
GRANT INSERT (id, provider, request_id, since),
    UPDATE (alive_at, finished_at, outcome, objects, operations, differences)
    ON payments.reconciliations TO orderly_worker_payments;
GRANT INSERT ON payments.reconciliation_differences TO orderly_worker_payments;
RESET ROLE;
"""


def upgrade() -> None:
    """Extend operations, and create what webhooks and reconciliation keep."""
    for part in (OPERATIONS, WEBHOOKS, RECONCILIATION, RIGHTS):
        op.execute(part)


def downgrade() -> None:
    """Go back: webhooks, findings and requests for them are lost, a return becomes a refund."""
    op.execute("""DROP TABLE payments.webhooks, payments.reconciliation_differences,
        payments.reconciliations""")
    op.execute("""DROP INDEX payments.operations_succeeded;
        ALTER TABLE payments.operations DROP COLUMN turn, DROP COLUMN subject_attempt;
        ALTER TABLE payments.reductions DROP COLUMN turn, DROP COLUMN amount_minor;
        DROP SEQUENCE payments.turns;
        REVOKE INSERT (outcome), UPDATE (target_reference) ON payments.operations
            FROM orderly_worker_payments;
        REVOKE USAGE ON SCHEMA payments FROM orderly_api""")
    op.execute("""UPDATE payments.operations SET kind = 'refund' WHERE kind = 'return';
        ALTER TABLE payments.operations DROP CONSTRAINT operations_kind_check;
        ALTER TABLE payments.operations ADD CONSTRAINT operations_kind_check CHECK
            (kind IN ('authorise', 'adopt', 'capture', 'release', 'refund'))""")
    op.execute("""DELETE FROM messaging.operator_requests WHERE verb = 'reconcile';
        ALTER TABLE messaging.operator_requests DROP CONSTRAINT operator_requests_verb_check;
        ALTER TABLE messaging.operator_requests ADD CONSTRAINT operator_requests_verb_check
            CHECK (verb IN ('retry', 'skip', 'reanchor', 'handover'))""")
