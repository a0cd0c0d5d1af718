"""The statements of the `orderly` command that no other process runs."""
