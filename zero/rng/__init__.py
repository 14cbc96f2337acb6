"""Random numbers by what they are for: Philox draws of programs and data, SplitMix streams of searches."""
