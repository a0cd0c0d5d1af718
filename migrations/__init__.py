"""One linear history of raw SQL; each step has its way back."""
