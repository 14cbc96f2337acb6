"""Compiled functions: the decorators, the folder that keeps machine code, the stages of compiling."""
