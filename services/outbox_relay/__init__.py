"""The outbox relay process."""
