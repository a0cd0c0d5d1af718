"""Client quotas: a token bucket per principal in PostgreSQL, spent from memory in allotments."""
