"""The HTTP door of payments: what providers tell us."""
