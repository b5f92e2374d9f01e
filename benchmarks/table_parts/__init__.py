"""The parts of benchmarks/tables.py, one module each."""
