"""Deployable processes: thin mains that wire, no logic."""
