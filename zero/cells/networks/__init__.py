"""From a genome of cells to a network of layers."""
