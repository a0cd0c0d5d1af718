"""Consumers and timers of one context."""
