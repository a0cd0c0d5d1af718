"""Orderly beside its peers and its limits: ratios of one run on one machine."""
