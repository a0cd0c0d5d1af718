"""Connections, pools, transactions and migrations."""
