"""The payments schema: one payment per order and its operations at a provider."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = """
CREATE SCHEMA payments AUTHORIZATION orderly_owner;
SET ROLE orderly_owner;
CREATE TABLE payments.payments (
    order_id uuid PRIMARY KEY,
    provider text NOT NULL,
    provider_reference text,
    source_kind text NOT NULL,
    state text NOT NULL CHECK (state IN
        ('pending', 'authorised', 'settled', 'declined', 'voided', 'expired')),
    currency text NOT NULL,
    planned_minor bigint NOT NULL,
    due_minor bigint NOT NULL DEFAULT 0,
    authorised_minor bigint NOT NULL DEFAULT 0,
    captured_minor bigint NOT NULL DEFAULT 0,
    released_minor bigint NOT NULL DEFAULT 0,
    returned_minor bigint NOT NULL DEFAULT 0,
    refunded_minor bigint NOT NULL DEFAULT 0,
    capture_before timestamptz,
    decline_code text,
    sequence bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (authorised_minor - captured_minor - released_minor >= 0),
    CHECK (returned_minor + refunded_minor <= captured_minor)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX payments_provider_reference
    ON payments.payments (provider, provider_reference);

CREATE TABLE payments.operations (
    key uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES payments.payments,
    provider text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('authorise', 'adopt', 'capture', 'release', 'refund')),
    subject_id uuid NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    source_value text,
    external_reference text,
    target_reference text,
    state text NOT NULL CHECK (state IN ('queued', 'sent', 'succeeded', 'declined', 'failed',
        'accepted', 'unknown', 'manual')),
    provider_reference text,
    attempts integer NOT NULL DEFAULT 0,
    first_attempt_at timestamptz,
    sent_at timestamptz,
    next_at timestamptz,
    deadline_at timestamptz,
    possibly_executed boolean NOT NULL DEFAULT false,
    outcome text,
    traceparent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
COMMENT ON COLUMN payments.operations.possibly_executed IS
    'True once a call left here whose effect is not known: such an operation never times out.';
CREATE INDEX operations_due ON payments.operations (provider, next_at)
    WHERE next_at IS NOT NULL;
-- Operations of one payment run one at a time; a second one may be stored, but not scheduled.
CREATE UNIQUE INDEX operations_one_at_a_time ON payments.operations (order_id)
    WHERE next_at IS NOT NULL;
CREATE INDEX operations_by_order ON payments.operations (order_id);
CREATE INDEX operations_unresolved ON payments.operations (provider, created_at)
    WHERE state IN ('queued', 'sent', 'accepted', 'unknown', 'manual');

CREATE TABLE payments.reductions (
    order_id uuid NOT NULL REFERENCES payments.payments,
    reduction_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz,
    PRIMARY KEY (order_id, reduction_id)
);
RESET ROLE;
"""

RIGHTS = """
SET ROLE orderly_owner;
GRANT USAGE ON SCHEMA payments TO orderly_worker_payments, orderly_reader, orderly_operator;
GRANT SELECT ON ALL TABLES IN SCHEMA payments TO orderly_worker_payments;
-- Who knows source_value can pay with it: only the worker that does reads it.
GRANT SELECT ON payments.payments, payments.reductions TO orderly_reader, orderly_operator;
GRANT SELECT (key, order_id, provider, kind, subject_id, amount_minor, currency,
    external_reference, target_reference, state, provider_reference, attempts, first_attempt_at,
    sent_at, next_at, deadline_at, possibly_executed, outcome, traceparent, created_at, updated_at)
    ON payments.operations TO orderly_reader, orderly_operator;
GRANT INSERT (order_id, provider, source_kind, state, currency, planned_minor, sequence)
    ON payments.payments TO orderly_worker_payments;
GRANT INSERT (key, order_id, provider, kind, subject_id, amount_minor, currency, source_value,
    external_reference, target_reference, state, next_at, deadline_at, traceparent)
    ON payments.operations TO orderly_worker_payments;
GRANT INSERT (order_id, reduction_id) ON payments.reductions TO orderly_worker_payments;
GRANT UPDATE (provider_reference, state, planned_minor, due_minor, authorised_minor,
    captured_minor, released_minor, returned_minor, refunded_minor, capture_before,
    decline_code, sequence, updated_at) ON payments.payments
    TO orderly_worker_payments;
GRANT UPDATE (state, provider_reference, attempts, first_attempt_at, sent_at, next_at,
    possibly_executed, outcome, updated_at) ON payments.operations TO orderly_worker_payments;
GRANT UPDATE (answered_at) ON payments.reductions TO orderly_worker_payments;
RESET ROLE;
"""


def upgrade() -> None:
    """Create the payments schema and its rights."""
    op.execute(TABLES)
    op.execute(RIGHTS)


def downgrade() -> None:
    """Drop the schema."""
    op.execute("DROP SCHEMA payments CASCADE")
