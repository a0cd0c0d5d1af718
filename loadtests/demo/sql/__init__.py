"""The demo's read-only queries."""
