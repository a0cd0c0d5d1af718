"""Looks at an installation from outside and says what is wrong, each with its remedy."""
