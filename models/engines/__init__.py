"""One file a family of engines. Importing one is light: heavy libraries are imported in `load`."""
