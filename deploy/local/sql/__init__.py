"""Statements with which the launcher prepares a fresh server, as its superuser."""
