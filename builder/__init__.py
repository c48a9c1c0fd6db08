"""What makes the worker: environments, locks, weights, documents. Nothing that ships imports it."""
