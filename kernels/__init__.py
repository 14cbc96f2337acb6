"""CUDA C sources of the GPU backend (none yet)."""
