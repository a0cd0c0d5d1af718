"""The public HTTP door."""
