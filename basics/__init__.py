"""Leaves that every room may import. Nothing here imports a room."""
