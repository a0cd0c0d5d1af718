"""The payments schema: one payment per order and its operations at a provider."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the payments schema and its rights."""
    op.execute("""
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
        reduction_id uuid,
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
        kind text NOT NULL CHECK (kind IN ('authorise', 'adopt', 'capture', 'release', 'refund')),
        subject_id uuid NOT NULL,
        amount_minor bigint NOT NULL,
        currency text NOT NULL,
        state text NOT NULL CHECK (state IN ('queued', 'sent', 'succeeded', 'declined', 'failed',
            'accepted', 'unknown', 'manual')),
        request jsonb NOT NULL,
        provider_reference text,
        attempts integer NOT NULL DEFAULT 0,
        first_sent_at timestamptz,
        sent_at timestamptz,
        next_at timestamptz,
        deadline_at timestamptz,
        executed_possible boolean NOT NULL DEFAULT false,
        outcome text,
        traceparent text,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
    ) WITH (fillfactor = 70);
    COMMENT ON COLUMN payments.operations.executed_possible IS
        'True once a call left here whose effect is not known: such an operation never times out.';
    CREATE INDEX operations_due ON payments.operations (next_at) WHERE next_at IS NOT NULL;
    CREATE INDEX operations_by_order ON payments.operations (order_id);

    GRANT USAGE ON SCHEMA payments TO orderly_worker_payments, orderly_reader, orderly_operator;
    GRANT SELECT ON ALL TABLES IN SCHEMA payments TO orderly_worker_payments, orderly_reader,
        orderly_operator;
    GRANT INSERT ON payments.payments, payments.operations TO orderly_worker_payments;
    GRANT UPDATE (provider_reference, state, planned_minor, due_minor, authorised_minor,
        captured_minor, released_minor, returned_minor, refunded_minor, capture_before,
        decline_code, reduction_id, sequence, updated_at) ON payments.payments
        TO orderly_worker_payments;
    GRANT UPDATE (state, provider_reference, attempts, first_sent_at, sent_at, next_at,
        executed_possible, outcome, updated_at) ON payments.operations TO orderly_worker_payments;
    RESET ROLE;
    """)


def downgrade() -> None:
    """Drop the schema."""
    op.execute("DROP SCHEMA payments CASCADE")
