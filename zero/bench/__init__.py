"""What `zero bench` measures."""
