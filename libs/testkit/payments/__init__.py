"""A payment provider for tests: in memory, as a process, and the suite both must pass."""
