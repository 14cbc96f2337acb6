"""All networks of a space of cells as one network with shared weights, and what is trained in it."""
