"""Interpreters of programs: the reference in NumPy, and the compiled one."""
