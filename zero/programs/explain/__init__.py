"""What a program does and what each part of it is worth: for people who want to understand a discovery.

`values` follows values through a program; on it stand `exact` (what is left when nothing that matters is
taken away) and `motifs` (known pieces, by what they do). `worth` and `tune` measure on tasks, `lineage`
asks a run where each piece came from. `view` shows all of it.
"""
