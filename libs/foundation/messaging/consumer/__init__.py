"""Kafka to handlers: lanes, waves, retries, parking, offsets."""
