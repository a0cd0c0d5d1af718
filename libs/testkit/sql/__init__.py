"""Statements of the testkit: a superuser's, on servers that tests may change."""
