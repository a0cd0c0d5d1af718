"""What is parked, as people see it and ask for it; the owners of the keys do what is asked."""
