"""HTTP routes of the orders context: orders, products."""
