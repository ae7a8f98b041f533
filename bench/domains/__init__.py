"""What bench/scale.py measures: changes at 100,000 domains. README.md of the benchmarks says how and why."""
