"""Statements of the `orderly` command."""
