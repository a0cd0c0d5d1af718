"""What operators see across the contexts; no context imports it."""
