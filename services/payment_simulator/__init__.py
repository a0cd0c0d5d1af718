"""A payment provider for development, demos and load; never for production."""
