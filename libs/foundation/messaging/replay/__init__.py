"""Sending kept messages again: what is chosen, what would come of it, and asking for it."""
