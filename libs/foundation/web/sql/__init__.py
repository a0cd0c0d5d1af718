"""Every SQL statement of the web package, one module per table."""
