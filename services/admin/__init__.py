"""The operators' HTTP door: what `orderly` reads, and the retry and skip it asks for."""
