"""Real PostgreSQL and Kafka for tests, builders and fault injection; never deployed."""
