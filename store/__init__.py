"""Where things are kept: objects, history, results, progress."""
