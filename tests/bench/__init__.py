"""Throughput and latency of the floor on this machine. `make bench` runs everything and prints a table."""
