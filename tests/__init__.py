"""Every test of the repository; `make test` runs them all."""
