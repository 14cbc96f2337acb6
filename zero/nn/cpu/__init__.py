"""Backend `cpu` of networks: fused, planned, and compiled by numba."""
