"""Every SQL statement of the messaging package, one module per table."""
