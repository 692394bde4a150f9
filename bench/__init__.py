"""Benchmarks: speed as ratios that are measured side by side in one run: `python -m bench --help`."""
