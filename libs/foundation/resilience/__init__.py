"""Deadlines, retries with a budget, and the circuit breaker."""
