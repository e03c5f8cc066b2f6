"""What tests and benchmarks stand on: a real PostgreSQL, and fresh databases."""
