"""Replays a real purchase log over HTTP, breaks the platform halfway, accounts for it all."""
