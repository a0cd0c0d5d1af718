"""What operators ask over HTTP: the same functions that the `orderly` command calls."""
