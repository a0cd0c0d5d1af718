"""SQL of the benchmarks."""
