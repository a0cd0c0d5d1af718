"""Commands, events and topics: what the contexts say to each other, and nothing else."""
