"""Every SQL statement of the inventory context, one module per table."""
