"""Where the messages of one key are, and what holds them up; nothing here changes anything."""
