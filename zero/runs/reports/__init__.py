"""Reports on runs: their `parts`; as `text` and as a `page` that stands alone."""
