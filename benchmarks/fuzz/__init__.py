"""Mutations of valid files, and what zero makes of them (`benchmarks/hostile.py`)."""
