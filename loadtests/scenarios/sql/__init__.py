"""SQL of the scenarios."""
