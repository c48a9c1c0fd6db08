"""Who speaks: voices, the library, references, and what engines derived from them."""
