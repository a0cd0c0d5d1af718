"""Verbs about orders, and which path was made under an idempotency key."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

VERBS = """
SET ROLE orderly_owner;
-- Wider than before: no row fails it, so it is not validated, which would lock.
-- squawk-ignore ban-drop-constraint
ALTER TABLE messaging.operator_requests DROP CONSTRAINT operator_requests_verb_check;
ALTER TABLE messaging.operator_requests ADD CONSTRAINT operator_requests_verb_check
    CHECK (verb IN ('retry', 'skip', 'reanchor', 'handover', 'reconcile', 'replay',
        'forget', 'stop', 'resume', 'resend_step', 'cancel', 'reject')) NOT VALID;
-- Whoever decides has looked at a version: on another one the decision is refused.
ALTER TABLE messaging.operator_requests ADD COLUMN expected_version bigint;
GRANT INSERT (expected_version) ON messaging.operator_requests TO orderly_operator;

CREATE VIEW web.idempotency_locations AS
    SELECT principal, method, route, key, status, created_at, headers->>'Location' AS location
    FROM web.idempotency_keys;
COMMENT ON VIEW web.idempotency_locations IS
    'What was made under a key, for who may not read how it was answered.';

GRANT SELECT ON web.idempotency_locations TO orderly_reader, orderly_operator;
-- An operator's cancellation is carried out by the worker that owns orders.
GRANT INSERT ON orders.cancellations TO orderly_worker_orders;
RESET ROLE;
"""

UNDO = """
DELETE FROM messaging.operator_requests WHERE verb IN ('resend_step', 'cancel', 'reject');
ALTER TABLE messaging.operator_requests DROP CONSTRAINT operator_requests_verb_check;
ALTER TABLE messaging.operator_requests ADD CONSTRAINT operator_requests_verb_check
    CHECK (verb IN ('retry', 'skip', 'reanchor', 'handover', 'reconcile', 'replay',
        'forget', 'stop', 'resume'));
ALTER TABLE messaging.operator_requests DROP COLUMN expected_version;
DROP VIEW web.idempotency_locations;
REVOKE INSERT ON orders.cancellations FROM orderly_worker_orders;
"""


def upgrade() -> None:
    """Allow the verbs and show the paths."""
    op.execute(VERBS)


def downgrade() -> None:
    """Take both back; requests with these verbs are forgotten."""
    op.execute(UNDO)
