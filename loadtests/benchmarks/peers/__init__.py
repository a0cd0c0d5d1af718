"""The programs that contenders start as processes of their own."""
