"""SQL of the simulator's own ledger."""
