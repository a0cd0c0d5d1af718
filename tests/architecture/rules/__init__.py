"""One module per kind of rule; a rule takes one source and yields what breaks it."""
