"""What the doctor asks of PostgreSQL's own catalogues."""
