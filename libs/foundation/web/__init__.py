"""HTTP: problem details, idempotency, group commit, admission and health."""
