-- The least a reservation of a hot SKU could be: one atomic statement, its own transaction.
UPDATE inventory.stock SET reserved = reserved + 1, sequence = sequence + 1
WHERE sku = 'HOT-1' AND on_hand - reserved >= 1;
