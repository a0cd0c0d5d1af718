"""SQL of the benchmarks, and the scripts of pgbench."""
