"""How images are made: locks, weights, image definitions. Runs beside the worker, never inside a job."""
