"""HTTP routes of the inventory context."""
