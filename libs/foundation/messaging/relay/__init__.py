"""The relay: moves committed outbox rows to Kafka, in order per key, at least once."""
