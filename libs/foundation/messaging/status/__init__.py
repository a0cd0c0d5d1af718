"""What people and machines ask about a running installation; nothing here changes anything."""
