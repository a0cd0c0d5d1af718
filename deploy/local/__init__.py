"""Runs all of Orderly on one machine: real PostgreSQL, real Kafka, every process, no container."""
