"""Names of the mutations (spec, section 6.3).

Apart from `zero.programs.mutations` so that checking a config needs no compiler. Read by
`zero.programs.config`, `zero.programs.mutations` and the command line.
"""

MUTATIONS: dict[str, str] = {
    "alter_parameter": "change one address or constant of one instruction",
    "randomize_instruction": "replace one instruction by a random one, op included",
    "randomize_function": "replace every instruction of one component function, size kept",
    "identity": "change nothing",
    "insert_instruction": "insert a random instruction, unless the function is at its maximum",
    "remove_instruction": "remove one instruction, unless the function is at its minimum",
    "trade_instruction": "insert a random instruction, then remove one; size kept",
    "randomize_algorithm": "replace every instruction of all component functions, sizes kept",
    "alter_constant": "alter one constant of one of the instructions that have some",
    "cross_function": "take one component function of another individual, the fitter of two drawn",
}

MUTATION_NAMES: tuple[str, ...] = tuple(MUTATIONS)
