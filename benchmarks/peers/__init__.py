"""What `benchmarks/tables.py` is made of: data sets, environments, systems, measured fits, a summary."""
