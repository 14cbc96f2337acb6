"""What `benchmarks/durability.py` does to runs, a file for each kind of misfortune."""
