"""Libraries shared by every deployable process."""
