"""What speaks: engines, the catalogue, who is in memory, and who moves next."""
