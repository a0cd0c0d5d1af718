"""Load, demonstrations and benchmarks against a running stack; never deployed."""
