"""Orders: products and prices, orders, their timeline and the saga that drives them."""
