"""The rules of the repository, each a test that names the replacement to use."""
