"""Every SQL statement of the orders context, one module per table or task."""
