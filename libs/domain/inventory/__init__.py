"""Inventory: stock, reservations and the ledger of movements."""
