"""Benchmarks of single parts, each beside the limit it could reach."""
