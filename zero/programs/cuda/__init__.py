"""Backend `cuda`: many programs at once on an NVIDIA GPU, see kernels/README.md."""
