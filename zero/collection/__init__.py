"""A user's library of discoveries, across runs: `zero.collection.library.Library`; see its docstring."""
