"""The business: the only code, with the contracts, that knows what an order is."""
