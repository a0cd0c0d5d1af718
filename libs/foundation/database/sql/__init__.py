"""Statements about the schema itself."""
