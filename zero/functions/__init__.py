"""Genomes that are formulas: straight-line programs over + - * / that compute one function of one number.

In the manner of AutoNumerics-Zero (Real et al. 2023, "AutoNumerics-Zero: Automated Discovery of
State-of-the-Art Mathematical Functions"): how small the worst error can be made with how few operations.
Constants are free, and fitted whenever a formula is evaluated.
"""
