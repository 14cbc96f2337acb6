"""Cell genomes: NASNet- and AmoebaNet-style cells, from the genome to the trained network."""
