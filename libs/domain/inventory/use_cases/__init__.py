"""Use cases of the inventory context, one verb a file; each receives the transaction."""
