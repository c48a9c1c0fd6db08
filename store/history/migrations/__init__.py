"""How the database came to its shape, one step a file. Steps that were released are never changed."""
