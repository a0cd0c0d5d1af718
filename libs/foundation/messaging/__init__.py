"""Outbox, relay, inbox, consumer and parking."""
