"""Ageing evolution, whatever a genome is: population, loop, islands and the processes they live in."""
