"""One verb a file: what payments does inside a transaction it is given."""
