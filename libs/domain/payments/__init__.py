"""Payments: operations at an external provider, and the dispatcher that calls it."""
