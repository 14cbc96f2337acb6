"""A run from its config to its outcome, whatever a genome is; what it leaves on disk."""
