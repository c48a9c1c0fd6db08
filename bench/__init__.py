"""Speed, judged as ratios measured side by side in one run. `python -m bench` runs all of it."""
