"""Use cases of the orders context, one verb a file; each receives the transaction."""
