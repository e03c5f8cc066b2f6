"""Benchmarks: the figures that the README and the docs cite, measured on the machine at hand."""
