"""Whether the topics and the outbox hold the same messages; nothing here changes anything."""
