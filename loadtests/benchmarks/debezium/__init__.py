"""The peer Debezium: its jars and how it is started."""
