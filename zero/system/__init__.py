"""What a run needs of the machine: signals, memory, files that survive a kill."""
